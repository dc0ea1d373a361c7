"""Every topic name in one place, so that sender and receiver cannot spell it differently."""

from typing import Final

EVERYTHING: Final = "fire/#"
DECISIONS: Final = "fire/decisions"
OVERRIDE: Final = "fire/trigger/override"
TRIGGER_STATE: Final = "fire/trigger/state"
SERVICE_STATUS: Final = "fire/service/status"
ALL_CAMERA_STATUS: Final = "fire/cameras/+/status"
ALL_DETECTIONS: Final = "fire/cameras/+/detections"
ALL_ACKNOWLEDGEMENTS: Final = "fire/actuators/+/ack"


def camera_status(camera: str) -> str:
    """Where a camera says, retained, whether it is there."""
    return f"fire/cameras/{camera}/status"


def camera_detections(camera: str) -> str:
    """Where a camera reports what it sees."""
    return f"fire/cameras/{camera}/detections"


def actuator_command(actuator: str) -> str:
    """Where an actuator is told what to do."""
    return f"fire/actuators/{actuator}/command"


def actuator_ack(actuator: str) -> str:
    """Where an actuator confirms what it did."""
    return f"fire/actuators/{actuator}/ack"


def actuator_status(actuator: str) -> str:
    """Where an actuator's position stands, retained."""
    return f"fire/actuators/{actuator}/status"
