"""Uses an installed wm_planner: files where they belong, messages over rclpy, executables."""

from __future__ import annotations

import argparse
import importlib
import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def check_files(prefix: Path) -> None:
    """The package, its messages and its share folder all come from below `prefix`."""
    import wm_planner
    import wm_planner.msg
    from wm_planner.share_folder import share_folder

    assert wm_planner.__file__ and wm_planner.msg.__file__
    for place in (wm_planner.__file__, wm_planner.msg.__file__, share_folder()):
        assert prefix in Path(place).parents, f"{place} is not below {prefix}"
    for folder in ("config", "launch", "models"):
        assert (share_folder() / folder).is_dir(), f"no {folder}/ in {share_folder()}"
    from ament_index_python import get_package_prefix

    assert Path(get_package_prefix("wm_planner")) == prefix
    for name in ("wm-planner", "executor", "planner_process"):
        executable = prefix / "lib" / "wm_planner" / name
        assert os.access(executable, os.X_OK), f"{executable} is missing or not executable"


def check_interfaces() -> int:
    """Every interface file has a Python class, and one message goes through rclpy."""
    count = 0
    for kind in ("msg", "srv", "action"):
        module = importlib.import_module(f"wm_planner.{kind}")
        for file in sorted((ROOT / kind).glob(f"*.{kind}")):
            getattr(module, file.stem)() if kind == "msg" else getattr(module, file.stem)
            count += 1
    import rclpy

    from wm_planner.msg import Plan

    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    rclpy.init(domain_id=os.getpid() % 100)
    node = rclpy.create_node("check_installed")
    received: list[Plan] = []
    node.create_subscription(Plan, "plan", received.append, 1)
    publisher = node.create_publisher(Plan, "plan", 1)
    for _ in range(50):
        publisher.publish(Plan(plan_id=7, horizon=2, actions=[0.5] * 40))
        rclpy.spin_once(node, timeout_sec=0.1)
        if received:
            break
    assert received and received[0].plan_id == 7 and len(received[0].actions) == 40
    node.destroy_node()
    rclpy.shutdown()
    return count


def main() -> None:
    """Checks the installation below --prefix and says so in one line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prefix", type=Path, required=True)
    prefix = parser.parse_args().prefix.resolve()
    check_files(prefix)
    count = check_interfaces()
    print(f"wm_planner below {prefix}: files in place, {count} interfaces work")


if __name__ == "__main__":
    main()
