"""Looks at parameters from a process of its own; prints what it found as JSON."""

from __future__ import annotations

import json

import rclpy
from rcl_interfaces.srv import DescribeParameters, GetParameters, SetParametersAtomically
from rclpy.parameter import Parameter


def main() -> None:
    """Ask, try a batch that is half valid, then a valid one; then the other stages."""
    rclpy.init()
    node = rclpy.create_node("probe")

    def call(kind, name, request, of="planner"):
        client = node.create_client(kind, f"/{of}/{name}")
        assert client.wait_for_service(30.0), f"no /{of}/{name}"
        future = client.call_async(request)
        rclpy.spin_until_future_complete(node, future, timeout_sec=30.0)
        return future.result()

    def get(name):
        found = call(GetParameters, "get_parameters", GetParameters.Request(names=[name]))
        return found.values[0].integer_value

    def put(of="planner", **values):
        parameters = [Parameter(k, value=v).to_parameter_msg() for k, v in values.items()]
        request = SetParametersAtomically.Request(parameters=parameters)
        return call(SetParametersAtomically, "set_parameters_atomically", request, of).result

    seen = {"value": get("candidates")}
    request = DescribeParameters.Request(names=["candidates"])
    described = call(DescribeParameters, "describe_parameters", request).descriptors[0]
    limits = described.integer_range[0]
    seen["range"] = [limits.from_value, limits.to_value]
    seen["description"] = described.description
    refused = put(execute_steps=2, candidates=0)
    seen["half_valid_accepted"], seen["reason"] = refused.successful, refused.reason
    seen["execute_steps_after_refusal"] = get("execute_steps")
    seen["valid_accepted"] = put(candidates=6).successful
    seen["after"] = get("candidates")
    # As they are, so that what is tested afterwards is the same.
    for of, name, value in (
        ("world_model", "guidance_outcome", 1.0),
        ("idm", "draws", 1),
        ("filter", "kinematic.start_jump", 1.0),
        ("planner", "scorers.image_goal.weight", 1.0),
    ):
        seen[f"{of} {name}"] = put(of, **{name: value}).successful
    seen["out_of_range"] = put("filter", **{"kinematic.start_jump": -1.0}).reason
    print(json.dumps(seen))


if __name__ == "__main__":
    main()
