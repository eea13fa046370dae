"""The page of a replay: everything in one file, readable without a network."""

TEMPLATE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>wm-planner: replay</title>
<style>
 body { font: 15px/1.5 system-ui, sans-serif; max-width: 940px; margin: 2em auto; color: #222;
  padding: 0 16px; }
 h1 { font-size: 1.5em; } h2 { font-size: 1.25em; margin-top: 2.5em; border-top: 1px solid #ddd;
  padding-top: 1em; } h3 { font-size: 1.05em; margin-top: 1.6em; }
 svg, img { width: 100%; height: auto; }
 table { border-collapse: collapse; margin: .6em 0; }
 td, th { padding: .15em 1em .15em 0; text-align: left; }
 td.name, td.number { white-space: nowrap; }
 td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
 .note { color: #666; } .open { background: #fff6dd; padding: .6em 1em; border-radius: 6px; }
 .bad { color: #b3261e; } code { font-size: .9em; } p { overflow-wrap: anywhere; }
 .wide { overflow-x: auto; margin-bottom: .8em; }
 @media (max-width: 700px) { .wide svg, .wide img { width: 640px; max-width: none; } }
</style></head><body>
<h1>Replay of {{ report.bags | length }} bag{{ "s" if report.bags | length != 1 }}</h1>
<p class="open"><b>Open loop.</b> The recorded robot did not follow these plans: it did what it did
 then, and every plan starts from what was recorded. So this page shows what the planner would have
 decided at each moment, not how a run with it would have ended.</p>
<p class="note">Output hash <code>{{ report.output_hash }}</code>: equal where every decision is, to
 the last bit.</p>
{% for label, made in made_with %}<p class="note">{{ label }} {{ made.configuration }}: rig
 {{ made.rig }}, world model <code>{{ made.world_model[:12] }}</code>, inverse dynamics
 <code>{{ made.inverse_dynamics[:12] }}</code>; wm_planner {{ made.wm_planner }}, onnxruntime
 {{ made.onnxruntime }}.</p>{% endfor %}
{% for which, result in failed %}<p class="bad">{{ which }}{{ result.bag }}:
 {{ result.error }}</p>{% endfor %}
{% if overview | length > 1 %}
<div class="wide"><table><tr><th>bag</th><th class="number">s</th><th class="number">plans</th>
<th class="number">cycles</th><th>rejected most</th><th class="number">left, DTW, mm</th>
<th class="number">right</th>{% if compared %}<th class="number">as recorded</th>{% endif %}</tr>
{% for one in overview %}<tr><td>{% if one.anchor %}<a href="#{{ one.anchor }}">{{ one.name }}</a>
{%- else %}{{ one.name }}{% endif %}</td><td class="number">{{ "%.1f"|format(one.seconds) }}</td>
<td class="number">{{ one.plans }}</td><td class="number">{{ one.cycles }}</td>
<td>{{ one.rejected }}</td>{% for mm in one.dtw %}<td class="number">
{{- "%.1f"|format(mm) if mm is not none else "" }}</td>{% endfor %}
{% if compared %}<td class="number">{{ one.as_recorded }}</td>{% endif %}</tr>
{% endfor %}</table></div>
{% endif %}
{% if comparison %}
<h2>Two configurations</h2>
{% if comparison.first_divergence %}
<p>They part in {{ comparison.first_divergence.bag }} at
 {{ "%.2f"|format(comparison.first_divergence.seconds) }} s:
 {{ comparison.first_divergence.says }}.</p>
{% else %}<p>No difference.</p>{% endif %}
<p>{{ comparison.cycles_compared }} frames were planned on by both,
 {{ comparison.cycles_with_the_same_dreams }} of them with the same dreams;
 {{ comparison.choices_changed }} times another one was chosen. Frames on which only the new
 configuration found no plan: {{ comparison.decisions.no_plan.values() | sum }}; only the old one:
 {{ comparison.decisions.plan.values() | sum }}.</p>
{{ flips }}
<div class="wide"><table>
<tr><th>per bag</th><th class="number">before</th><th class="number">now</th>
<th class="number">difference</th><th class="number">95% interval</th></tr>
{% for name, found in comparison.metrics.items() %}<tr><td>{{ name }}</td>
{% for key in ("first", "second", "difference") %}<td class="number">
{{ "%.4g"|format(found[key]) if found[key] is not none else "unknown" }}</td>{% endfor %}
<td class="number">{% if found.interval %}{{ "%.3g"|format(found.interval[0]) }} to
 {{ "%.3g"|format(found.interval[1]) }}{% else %}needs two bags{% endif %}</td></tr>
{% endfor %}</table></div>
{% endif %}
{% if paths %}
<h2>Planned and recorded, over all bags</h2>
{% for what, by_hand in paths %}
<h3>DTW {{ what }}, mean over {{ by_hand.left.bags }} bags, mm</h3>
<div class="wide"><table><tr><th></th>
<th class="number">planned</th><th></th><th class="number">without a model</th>
<th class="number">nearer by</th><th class="number">95% interval</th></tr>
{% for hand, found in by_hand.items() %}{% for name, one in found.baselines.items() %}
<tr><td class="name">{{ hand }} hand</td>
<td class="number">{{ "%.1f"|format(1000 * found.planned) }}</td>
<td class="name">{{ name }}</td>
<td class="number">{{ "%.1f"|format(1000 * one.mean) }}</td>
<td class="number">{{ "%.1f"|format(1000 * one.margin) }}</td>
<td class="number">{{ "%.1f"|format(1000 * one.interval[0]) }} to
 {{ "%.1f"|format(1000 * one.interval[1]) }}</td></tr>
{% endfor %}{% endfor %}</table></div>
{% endfor %}{% endif %}
{% for section in sections %}{% set result = section.result %}
<h2 id="{{ section.anchor }}">{{ result.bag }}</h2>
<p>{{ "%.1f"|format(result.duration_s) }} s recorded, {{ result.looks | length }} frames looked at,
 {{ result.plans }} plans in {{ result.planning_cycles }} planning cycles
 ({% for reason, count in result.replans.items() -%}
 {{ reason | in_words }} {{ count }}{{ ", " if not loop.last }}{%- endfor %}), latency
 {{ result.latency.latency }}, seed {{ result.seed }}.
 Asked for: {% for said in result.instructions -%} “{{ said }}”{{ ", " if not loop.last }}
{%- endfor %}</p>
{% if result.recorded.compared %}<p>The bag holds the plans of its own planner:
 {{ result.recorded.identical }} of {{ result.recorded.compared }} are the same to the last bit
 (candidates, verdicts, scores and choice).
{% if result.recorded.other_model %} It planned with another world model,
 <code>{{ result.recorded.other_model.recorded[:12] }}</code>; here it is
 <code>{{ result.recorded.other_model.replayed[:12] }}</code>.{% endif %}</p>
{% if result.recorded.differing %}<details><summary>What differs</summary>
{% for one in result.recorded.differing %}<p class="note">At
 {{ "%.2f"|format((one.stamp_ns - result.begin_ns) * 1e-9) }} s:
 {{ one.fields.keys() | join(", ") }}.</p>{% endfor %}</details>{% endif %}{% endif %}
{% if result.settings %}<p>Settings as recorded, unlike the configuration:
{% for one in result.settings -%}
{% if one.stamp_ns %} from
 {{ "%.2f"|format((one.stamp_ns - result.begin_ns) * 1e-9) }} s on{% endif %}
 <code>{{ one.node }} {{ one.name }}</code> {{ one.value }}
{%- if one.unused %} (not followed: {{ one.unused }}){% endif %}
{{- ", " if not loop.last }}
{%- endfor %}.</p>{% endif %}
{{ section.plots.timeline }}
<h3>Why candidates were rejected</h3>{{ section.plots.verdicts }}
<p class="note">The plot has the last candidates of each cycle, as have the sentences; the first
 table also those that were replaced by other dreams.</p>
{% if section.rejections %}<table><tr><th>rejected for</th><th class="number">dreams</th></tr>
{% for reason, count in section.rejections %}<tr><td>{{ reason | in_words }}</td>
<td class="number">{{ count }}</td></tr>{% endfor %}</table>{% else %}<p>None was.</p>{% endif %}
{% if section.limits %}<div class="wide"><table>
<tr><th>over the limit</th><th></th><th>least, and most</th></tr>
{% for row in section.limits %}<tr><td>{{ row.reason | in_words }}</td>
<td class="number">{{ row.count }}</td>
<td>{{ row.nearest }}{% if row.furthest != row.nearest %}<br>{{ row.furthest }}{% endif %}</td></tr>
{% endfor %}</table></div>{% endif %}
{{ section.plots.candidates }}
<h3>Planned and recorded</h3>{{ section.plots.paths }}
<table><tr><th>mean over plans, mm</th><th class="number">planned</th>
<th class="number">standing still</th><th class="number">going on as before</th></tr>
{% for row, values in section.paths %}<tr><td>{{ row }}</td>{% for value in values %}
<td class="number">{{ "%.1f"|format(value) }}</td>{% endfor %}</tr>{% endfor %}</table>
<p class="note">Dynamic time warping forgives being early or late. Dotted: a plan that never
 moves. Dashed: one that repeats the last measured step. The plot is of what the hands did; they
 follow late what they are told.</p>
<h3>Dreamed and seen</h3>{{ section.plots.dream }}
<h3>Latency on this machine</h3>{{ section.plots.latency }}
<table><tr><th>stage</th><th class="number">median ms</th><th class="number">95% ms</th></tr>
{% for name, middle, high in section.latencies %}<tr><td>{{ name }}</td>
<td class="number">{{ "%.1f"|format(middle) }}</td>
<td class="number">{{ "%.1f"|format(high) }}</td></tr>{% endfor %}</table>
<h3>Worst moments</h3>
<p class="note">Dreamed pictures above, what the camera saw below. In the plots, grey lines join
 what dynamic time warping aligns.</p>
{% for moment in section.moments %}
<p>Plan {{ moment.plan_id }} at {{ "%.2f"|format(moment.seconds) }} s: {{ moment.why }}. Pictures of
 {% for step in moment.steps %}{{ "%.1f"|format(step * moment.step_s) }}{{ ", " if not loop.last }}
{%- endfor %} s later.</p>
<div class="wide"><img src="{{ moment.source }}" alt="dreamed and seen frames"></div>
{{ moment.plot }}
{% else %}<p>No plan was followed by enough recording.</p>{% endfor %}
{% if result.dropped %}<h3>Not used</h3><table>
{% for reason, count in result.dropped.items() %}<tr><td>{{ reason }}</td>
<td class="number">{{ count }}</td></tr>{% endfor %}</table>{% endif %}
{% endfor %}
{% if left_out %}<p class="note">{{ left_out }} more bags are in report.json.</p>{% endif %}
</body></html>
"""
