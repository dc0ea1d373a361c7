"""Settings come from the environment, as a container gets them; a wrong one is named, not guessed around."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from fire_watch.consensus import Rule
from fire_watch.trigger import Policy

DEFAULT_DATABASE = "postgresql://postgres@localhost/postgres"


class SettingsError(ValueError):
    """A setting that cannot be understood."""


@dataclass(frozen=True, kw_only=True)
class BrokerSettings:
    """Where the broker answers, and who we are there."""

    host: str = "localhost"
    port: int = 1883
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read the MQTT_ variables."""
        return cls(
            host=environment.get("MQTT_HOST", "localhost"),
            port=int(_number(environment, "MQTT_PORT", 1883)),
            username=environment.get("MQTT_USERNAME") or None,
            password=environment.get("MQTT_PASSWORD") or None,
        )


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything the service has to be told."""

    broker: BrokerSettings = field(default_factory=BrokerSettings)
    database_url: str = field(default=DEFAULT_DATABASE, repr=False)
    rule: Rule = field(default_factory=Rule)
    policy: Policy = field(default_factory=Policy)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read all variables; whatever is absent keeps its default."""
        return cls(
            broker=BrokerSettings.from_environment(environment),
            database_url=environment.get("DATABASE_URL", DEFAULT_DATABASE),
            rule=_rule(environment),
            policy=_policy(environment),
        )


def _rule(environment: Mapping[str, str]) -> Rule:
    default = Rule()
    return Rule(
        cameras=int(_number(environment, "FIRE_CAMERAS", default.cameras)),
        window=_number(environment, "FIRE_WINDOW", default.window),
        confidence=_number(environment, "FIRE_CONFIDENCE", default.confidence),
    )


def _policy(environment: Mapping[str, str]) -> Policy:
    default = Policy()
    return Policy(
        actuators=tuple(environment.get("FIRE_ACTUATORS", ",".join(default.actuators)).split(",")),
        cooldown=_number(environment, "FIRE_COOLDOWN", default.cooldown),
        patience=_number(environment, "FIRE_ACK_TIMEOUT", default.patience),
        attempts=int(_number(environment, "FIRE_ATTEMPTS", default.attempts)),
    )


def _number(environment: Mapping[str, str], name: str, default: float) -> float:
    text = environment.get(name, str(default))
    try:
        return float(text)
    except ValueError as error:
        raise SettingsError(f"{name} must be a number, not {text!r}") from error
