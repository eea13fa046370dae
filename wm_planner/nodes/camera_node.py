"""Lifecycle node `camera`: the rig's cameras in, checked RGB frames out."""

from __future__ import annotations

import threading
from functools import partial
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.callback_groups import ReentrantCallbackGroup
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from wm_planner.errors import ConfigurationError, DataError
from wm_planner.messages.arrays import to_ns
from wm_planner.messages.images import image_from_compressed, image_from_message
from wm_planner.nodes.configured import declare_config, read_config
from wm_planner.nodes.conversions.images import image_to_message
from wm_planner.nodes.parameters import Parameters
from wm_planner.nodes.stage_node import StageNode
from wm_planner.nodes.topics import DIAGNOSTICS_TOPIC, RELIABLE_QOS, SENSOR_QOS, frames_topic
from wm_planner.observing.frame_checks import FrameChecks, FrameSettings
from wm_planner.robot.rig_description import CameraDescription, find_rig

REPORT_PERIOD_S = 1.0


class CameraNode(StageNode):
    """Publishes every frame that is fit to plan on, drops and counts the others."""

    def __init__(self, **options: Any) -> None:
        super().__init__("camera", **options)
        declare_config(self)
        self._settings = Parameters(self, FrameSettings)
        self._checks: dict[str, FrameChecks] = {}
        self._entities: list[Any] = []
        self._diagnostics = self.create_publisher(DiagnosticArray, DIAGNOSTICS_TOPIC, RELIABLE_QOS)
        self.create_timer(REPORT_PERIOD_S, self._report)

    def build(self) -> None:
        rig = find_rig(read_config(self).rig)
        settings = self._settings.current
        for name, camera in rig.cameras.items():
            if not camera.required:
                continue
            if settings.info_timeout > 0.0:
                self._await_info(name, camera, settings.info_timeout)
            self._checks[name] = FrameChecks(camera, settings)
            publisher = self.create_publisher(Image, frames_topic(name), SENSOR_QOS)
            kind: Any = CompressedImage if settings.compressed else Image
            topic = camera.topic + "/compressed" if settings.compressed else camera.topic
            received = partial(self._received, name, publisher)
            self._entities += [
                publisher,
                self.create_subscription(kind, topic, received, SENSOR_QOS),
            ]

    def release(self) -> None:
        for entity in self._entities:
            self.destroy_publisher(entity)
            self.destroy_subscription(entity)
        self._entities.clear()
        self._checks.clear()

    def _await_info(self, name: str, camera: CameraDescription, timeout_s: float) -> None:
        """Wait for the camera's own description and compare it with the rig file's."""
        came, sizes = threading.Event(), []

        def received(info: CameraInfo) -> None:
            sizes.append((info.height, info.width))
            came.set()

        subscription = self.create_subscription(
            CameraInfo,
            camera.info_topic,
            received,
            SENSOR_QOS,
            callback_group=ReentrantCallbackGroup(),
        )
        arrived = came.wait(timeout_s)
        self.destroy_subscription(subscription)
        if not arrived:
            raise ConfigurationError(
                f"camera {name}: no CameraInfo on {camera.info_topic} within {timeout_s} s"
            )
        if sizes[0] != (camera.height, camera.width):
            got, expected = "{}x{}".format(*sizes[0]), f"{camera.height}x{camera.width}"
            raise ConfigurationError(
                f"camera {name}: CameraInfo says {got}, the rig file says {expected}"
            )

    def _received(self, name: str, publisher: Any, message: Image | CompressedImage) -> None:
        if not self.is_active:
            return
        checks = self._checks[name]
        try:
            compressed = isinstance(message, CompressedImage)
            image = image_from_compressed(message) if compressed else image_from_message(message)
        except DataError as error:
            checks.count("DAMAGED")
            self.note(f"camera {name}: {error}")
            return
        stamp_ns = to_ns(message.header.stamp)
        now_ns = self.get_clock().now().nanoseconds
        if not checks.problem(stamp_ns, now_ns, *image.shape[:2]):
            publisher.publish(image_to_message(image, stamp_ns, message.header.frame_id))

    def _report(self) -> None:
        array = DiagnosticArray()
        array.header.stamp = self.get_clock().now().to_msg()
        for name, checks in self._checks.items():
            level = DiagnosticStatus.WARN if checks.dropped else DiagnosticStatus.OK
            counts = {"accepted": checks.accepted, **checks.dropped}
            array.status.append(
                DiagnosticStatus(
                    level=level,
                    name=f"camera: {name}",
                    message=", ".join(f"{k} {v}" for k, v in checks.dropped.items()) or "ok",
                    values=[KeyValue(key=key, value=str(value)) for key, value in counts.items()],
                )
            )
        if array.status:
            self._diagnostics.publish(array)
