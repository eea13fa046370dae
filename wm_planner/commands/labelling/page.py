"""The page of `wm-planner label`: two films, the keys, nothing from the network."""

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>wm-planner label</title>
<style>
 body { font: 16px/1.5 system-ui, sans-serif; margin: 1.5em auto; max-width: 1100px;
        padding: 0 12px; background: #121418; color: #ebebeb; }
 h1 { font-size: 1.3em; } .faint { color: #8c919b; }
 #sides { display: flex; gap: 16px; } .side { flex: 1; cursor: pointer; border: 3px solid #333;
        padding: 6px; } .side:hover { border-color: #46c878; }
 canvas { width: 100%; image-rendering: auto; display: block; }
 .strip { width: 100%; display: block; margin-top: 6px; }
 kbd { cursor: pointer; border: 1px solid #666; border-radius: 4px; padding: 0 .4em; }
</style></head><body>
<h1 id="asked">...</h1>
<p class="faint">Which one is better? <kbd data-choice="left">&larr;</kbd> left,
 <kbd data-choice="right">&rarr;</kbd> right,
 <kbd data-choice="skip">space</kbd> cannot tell,
 <kbd data-choice="undo">u</kbd> undo. <span id="count"></span></p>
<div id="sides">
 <div class="side" id="left"><canvas></canvas><img class="strip" alt="left"></div>
 <div class="side" id="right"><canvas></canvas><img class="strip" alt="right"></div>
</div>
<p class="faint" id="problem"></p>
<script>
let now = null, films = [], tick = 0;
const get = (id) => document.getElementById(id);
async function load(side, number) {
  const response = await fetch(`/strip?side=${side}&number=${number}`);
  if (!response.ok) throw new Error(await response.text());
  const frames = Number(response.headers.get("X-Frames"));
  const image = get(side).querySelector("img");
  const old = image.src;
  image.src = URL.createObjectURL(await response.blob());
  if (old) URL.revokeObjectURL(old);
  await image.decode();
  return { side, image, frames };
}
function tell(error) {
  const page = new DOMParser().parseFromString(error.message, "text/html");
  get("problem").textContent = page.body.textContent.trim();
}
async function show(pair) {
  now = pair; films = []; get("problem").textContent = "";
  get("count").textContent = `${pair.number} of ${pair.count} answered.`;
  get("asked").textContent = pair.done ? "All answered: Ctrl-C in the terminal ends it." :
    `\u201c${pair.instruction}\u201d (${pair.what})`;
  get("sides").style.visibility = pair.done ? "hidden" : "visible";
  if (pair.done) return;
  try {
    const loaded = await Promise.all(["left", "right"].map((s) => load(s, pair.number)));
    if (now === pair) films = loaded;
  } catch (error) { tell(error); }
}
async function answer(choice) {
  if (!now) return;
  const asked = now, body = JSON.stringify({ number: now.number, choice });
  now = null;
  const headers = { "Content-Type": "application/json" };
  try {
    const response = await fetch("/answer", { method: "POST", headers, body });
    if (!response.ok) throw new Error(await response.text());
    show(await response.json());
  } catch (error) { now = asked; tell(error); }
}
const KEYS = { ArrowLeft: "left", ArrowRight: "right", " ": "skip", u: "undo" };
document.addEventListener("keydown", (event) => {
  const choice = KEYS[event.key];
  if (choice && !event.repeat) { event.preventDefault(); answer(choice); }
});
for (const key of document.querySelectorAll("kbd")) key.onclick = () => answer(key.dataset.choice);
for (const side of ["left", "right"]) get(side).onclick = () => answer(side);
setInterval(() => {
  tick += 1;
  for (const { side, image, frames } of films) {
    const canvas = get(side).querySelector("canvas"), width = image.naturalWidth / frames;
    canvas.width = width; canvas.height = image.naturalHeight;
    const frame = Math.min(tick % (frames + 4), frames - 1);  // the end stays for a moment
    canvas.getContext("2d").drawImage(image, frame * width, 0, width, image.naturalHeight,
                                      0, 0, width, image.naturalHeight);
  }
}, 200);
fetch("/pair").then((response) => response.json()).then(show);
</script></body></html>
"""
