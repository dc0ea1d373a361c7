"""Settings: the environment decides, the rest has defaults, and a mistake is named."""

import pytest
from fire_watch.settings import DEFAULT_DATABASE, Settings, SettingsError


def test_an_empty_environment_means_this_machine() -> None:
    """A developer's first run needs no settings."""
    settings = Settings.from_environment({})
    assert (settings.broker.host, settings.broker.port) == ("localhost", 1883)
    assert settings.broker.username is None
    assert settings.database_url == DEFAULT_DATABASE


def test_the_environment_is_taken_over() -> None:
    """Every variable reaches its place."""
    environment = {
        "MQTT_HOST": "broker",
        "MQTT_PORT": "8883",
        "MQTT_USERNAME": "watch",
        "FIRE_CAMERAS": "5",
        "FIRE_WINDOW": "2.5",
        "FIRE_ACTUATORS": "sprinkler,pump,siren",
        "FIRE_COOLDOWN": "90",
    }
    settings = Settings.from_environment(environment)
    assert (settings.broker.host, settings.broker.port, settings.broker.username) == ("broker", 8883, "watch")
    assert (settings.rule.cameras, settings.rule.window) == (5, 2.5)
    assert settings.policy.actuators == ("sprinkler", "pump", "siren")
    assert settings.policy.cooldown == 90


@pytest.mark.parametrize("name", ["MQTT_PORT", "FIRE_CAMERAS", "FIRE_WINDOW", "FIRE_COOLDOWN"])
def test_a_number_in_words_is_named(name: str) -> None:
    """The message says which variable, and what it held."""
    with pytest.raises(SettingsError, match=f"{name} must be a number, not 'many'"):
        Settings.from_environment({name: "many"})


def test_secrets_do_not_show() -> None:
    """Settings are logged; the password and the database's address are not."""
    settings = Settings.from_environment({"MQTT_PASSWORD": "hush", "DATABASE_URL": "postgresql://u:hush@h/d"})
    assert "hush" not in repr(settings)
