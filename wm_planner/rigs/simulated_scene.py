"""The simulated bimanual rig's world as MJCF text: two 6-DoF arms, table, objects, cameras.

Everything is made of primitives, so the project ships no mesh and no third-party asset. Lengths in
m, angles in rad, z up, x to the robot's right, y away from it, origin at the front centre of the
table top, which is also the robot's ``base_link``.

The kinematic constants stand here and in ``config/rigs/simulated_bimanual.urdf``; a test holds the
two to the same forward kinematics within 1e-9.
"""

# ruff: noqa: E501  (MJCF reads best with one element per line)
from __future__ import annotations

import math

SIDES = ("left", "right")
BASE_X = {"left": -0.25, "right": 0.25}
BASE_YAW = math.pi / 2
SHOULDER_HEIGHT, UPPER_ARM, FOREARM, WRIST_ROLL, WRIST_PITCH, TOOL = (
    0.12,
    0.30,
    0.16,
    0.14,
    0.07,
    0.13,
)
JOINT_AXES = ("0 0 1", "0 1 0", "0 1 0", "1 0 0", "0 1 0", "1 0 0")
JOINT_LIMITS = ((-2.6, 2.6), (-1.9, 1.9), (-2.4, 2.4), (-2.9, 2.9), (-1.9, 1.9), (-2.9, 2.9))
SERVO_STIFFNESS = (600, 800, 600, 150, 150, 60)  # N m / rad
SERVO_TORQUE = (60, 80, 60, 20, 20, 12)  # N m
HOME = (0.0, 0.0, 0.07, 0.0, 1.5008, 0.0)  # tools point straight down
MAX_WIDTH = 0.09
PHYSICS_STEP_S = 0.004

CUBE_HALF = 0.028
BAR_HALF = (0.12, 0.024, 0.024)
TRAY_HALF = (0.13, 0.075, 0.008)
TRAY_HANDLE_X = 0.118
TRAY_HANDLE_HALF = (0.012, 0.045, 0.035)
MARKER_RADIUS = 0.027
MARKER_FOOT_RADIUS = 0.026
PARKED = (
    0.0,
    3.0,
    -0.6,
)  # where objects wait that a scene does not use: behind and below the table

DISTRACTORS = ("distractor_1", "distractor_2", "distractor_3")

ARM_COLOUR = {"left": ".85 .45 .10 1", "right": ".20 .45 .80 1"}
MARKER_COLOUR = {"left": "1 .75 .05 1", "right": ".35 .85 1 1"}
DARK = ".15 .15 .17 1"


def _arm(side: str) -> str:
    joint = [
        f'<joint name="{side}_joint_{i + 1}" axis="{axis}" range="{low} {high}"/>'
        for i, (axis, (low, high)) in enumerate(zip(JOINT_AXES, JOINT_LIMITS, strict=True))
    ]
    colour = f'rgba="{ARM_COLOUR[side]}"'
    dark = f'rgba="{DARK}"'
    fingers = "".join(
        f"""
 <body name="{side}_finger_link_{k}" pos=".02 0 0" gravcomp="1">
  <joint class="finger" name="{side}_finger_{k}" axis="0 {sign} 0" range="0 {MAX_WIDTH / 2}"/>
  <geom class="finger" type="box" size=".06 .006 .012" pos=".055 {sign * 0.006} 0" mass=".04"/>
 </body>"""
        for k, sign in ((1, 1), (2, -1))
    )
    half_yaw = BASE_YAW / 2
    return f"""
<body name="{side}_base" pos="{BASE_X[side]} 0 0" quat="{math.cos(half_yaw)!r} 0 0 {math.sin(half_yaw)!r}">
 <geom class="link" type="cylinder" size=".06 .04" pos="0 0 .04" {dark} mass="2"/>
 <body name="{side}_link_1" pos="0 0 {SHOULDER_HEIGHT}" gravcomp="1">{joint[0]}
  <geom class="link" type="sphere" size=".055" {colour} mass="1"/>
 <body name="{side}_link_2" gravcomp="1">{joint[1]}
  <geom class="link" type="capsule" fromto="0 0 .02 0 0 {UPPER_ARM - 0.02}" size=".035" {colour} mass="1"/>
 <body name="{side}_link_3" pos="0 0 {UPPER_ARM}" gravcomp="1">{joint[2]}
  <geom class="link" type="sphere" size=".042" {dark} mass=".4"/>
  <geom class="link" type="capsule" fromto="0 0 0 {FOREARM} 0 0" size=".030" {colour} mass=".6"/>
 <body name="{side}_link_4" pos="{FOREARM} 0 0" gravcomp="1">{joint[3]}
  <geom class="link" type="capsule" fromto="0 0 0 {WRIST_ROLL - 0.03} 0 0" size=".027" {dark} mass=".4"/>
 <body name="{side}_link_5" pos="{WRIST_ROLL} 0 0" gravcomp="1">{joint[4]}
  <geom class="link" type="capsule" fromto="0 -.02 0 0 .02 0" size=".028" {colour} mass=".2"/>
 <body name="{side}_link_6" pos="{WRIST_PITCH} 0 0" gravcomp="1">{joint[5]}
  <geom class="link" type="box" size=".022 .06 .022" pos="-.01 0 0" {dark} mass=".25"/>
  <camera name="{side}_wrist" pos="-.06 0 .075" xyaxes="0 -1 0 .35 0 1" fovy="75"/>
  <site name="{side}_tool" pos="{TOOL} 0 0" size=".004" rgba="0 0 0 0"/>{fingers}
 </body></body></body></body></body></body></body>"""


def _actuators(side: str) -> str:
    arm = "".join(
        f'<position name="{side}_servo_{i + 1}" joint="{side}_joint_{i + 1}" kp="{kp}" dampratio="1"'
        f' forcerange="-{torque} {torque}" ctrlrange="{low} {high}"/>'
        for i, (kp, torque, (low, high)) in enumerate(
            zip(SERVO_STIFFNESS, SERVO_TORQUE, JOINT_LIMITS, strict=True)
        )
    )
    # The fingers may be driven 5 mm past closed, which is what squeezes a held object.
    return arm + "".join(
        f'<position name="{side}_finger_servo_{k}" joint="{side}_finger_{k}" kp="400" dampratio="1"'
        f' forcerange="-25 25" ctrlrange="-.005 {MAX_WIDTH / 2}"/>'
        for k in (1, 2)
    )


def _excluded_contacts(side: str) -> str:
    # A base welded to the world is not covered by the parent-child filter.
    pairs = [("base", "link_1"), ("base", "link_2"), ("link_4", "link_6")]
    return "".join(
        f'<exclude body1="{side}_{first}" body2="{side}_{second}"/>' for first, second in pairs
    )


def cube_object() -> str:
    """MJCF body of the red cube."""
    return f"""
<body name="cube" pos="0 .3 .03"><freejoint name="cube"/>
 <geom class="object" type="box" size="{CUBE_HALF} {CUBE_HALF} {CUBE_HALF}" mass=".05" rgba=".88 .08 .08 1"/></body>"""


def tabletop_objects() -> str:
    """MJCF bodies of the rigid objects; unused ones are parked out of sight on reset."""
    handle = " ".join(str(v) for v in TRAY_HANDLE_HALF)
    markers = "".join(
        f"""
<body name="{side}_marker" mocap="true" pos="0 0 0">
 <geom class="marker" type="sphere" size="{MARKER_RADIUS}" rgba="{MARKER_COLOUR[side]}"/>
 <geom class="marker" name="{side}_marker_post" type="box" size=".005 .005 .1" pos="0 0 -.1" rgba="{MARKER_COLOUR[side]}"/>
 <geom class="marker" name="{side}_marker_foot" type="cylinder" size="{MARKER_FOOT_RADIUS} .003" pos="0 0 -.1" rgba="{MARKER_COLOUR[side]}"/>
</body>"""
        for side in SIDES
    )
    distractors = "".join(
        f"""
<body name="{name}" mocap="true" pos="{PARKED[0]} {PARKED[1]} {PARKED[2]}">
 <geom class="object" type="box" size=".02 .02 .02"/></body>"""
        for name in DISTRACTORS
    )
    return f"""{cube_object()}
<body name="bar" pos="0 .3 .03"><freejoint name="bar"/>
 <geom class="object" type="box" size="{BAR_HALF[0]} {BAR_HALF[1]} {BAR_HALF[2]}" mass=".08" rgba=".10 .62 .20 1"/></body>
<body name="tray" pos="0 .3 .02"><freejoint name="tray"/>
 <geom class="object" type="box" size="{TRAY_HALF[0]} {TRAY_HALF[1]} {TRAY_HALF[2]}" mass=".2" rgba=".55 .30 .70 1"/>
 <geom class="object" type="box" size="{handle}" pos="-{TRAY_HANDLE_X} 0 {TRAY_HANDLE_HALF[2]}" mass=".04" rgba=".85 .55 .95 1"/>
 <geom class="object" type="box" size="{handle}" pos="{TRAY_HANDLE_X} 0 {TRAY_HANDLE_HALF[2]}" mass=".04" rgba=".85 .55 .95 1"/></body>
{markers}{distractors}"""


def build_scene(
    objects: str, extra: str = "", option: str = "", offscreen: tuple[int, int] = (480, 640)
) -> str:
    """MJCF of the rig with ``objects`` on its table.

    Args:
        objects: bodies to put into the world.
        extra: top-level elements such as equalities.
        option: attributes for ``<option>``; the default suits rigid contacts.
        offscreen: largest image (height, width) in pixels that may be rendered.
    """
    option = option or (
        f'timestep="{PHYSICS_STEP_S}" integrator="implicitfast" cone="elliptic" impratio="10"'
        ' solver="Newton" iterations="20" ls_iterations="20"'
    )
    height, width = offscreen
    return f"""<mujoco model="simulated_bimanual">
<compiler angle="radian" autolimits="true"/>
<option {option}/>
<visual><global offwidth="{width}" offheight="{height}"/><quality shadowsize="0" offsamples="0"/>
<headlight ambient=".45 .45 .45" diffuse=".45 .45 .45" specular="0 0 0"/><map znear=".02" zfar="20"/></visual>
<default><joint damping="2" armature="0.05" frictionloss="0.3"/>
<default class="link"><geom contype="1" conaffinity="1" group="1"/></default>
<default class="finger"><joint type="slide" damping="8" armature=".05" frictionloss="0"/>
<geom rgba=".1 .1 .1 1" friction="1.5 .02 .001" condim="4" solref=".008 1" priority="1" group="1"/></default>
<default class="object"><geom friction="1 .01 .001" condim="4" solref=".008 1"/></default>
<default class="marker"><geom contype="0" conaffinity="0" group="2"/></default></default>
<asset><texture name="wood" type="2d" builtin="checker" rgb1=".72 .60 .45" rgb2=".66 .55 .41" width="64" height="64"/>
<material name="wood" texture="wood" texrepeat="6 6"/>
<texture type="skybox" builtin="gradient" rgb1=".75 .8 .85" rgb2=".5 .55 .6" width="32" height="192"/></asset>
<worldbody><light pos="0 -.5 2" dir="0 .3 -1" diffuse=".5 .5 .5" specular=".1 .1 .1" castshadow="false"/>
<geom name="table" type="box" size=".6 .45 .02" pos="0 .35 -.02" material="wood" friction="1 .01 .001"/>
<geom name="floor" type="plane" size="4 4 .1" pos="0 0 -.75" rgba=".55 .57 .6 1"/>
<camera name="head" pos="0 -.15 .80" xyaxes="1 0 0 0 .837 .547" fovy="41"/>
<camera name="front" pos="0 1.15 .55" xyaxes="-1 0 0 0 -.5 .86" fovy="55"/>
{_arm("left")}{_arm("right")}{objects}</worldbody>
<actuator>{_actuators("left")}{_actuators("right")}</actuator>
<contact>{_excluded_contacts("left")}{_excluded_contacts("right")}</contact>
{extra}</mujoco>"""
