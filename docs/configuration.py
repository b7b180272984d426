"""Writes docs/configuration.md from the settings in stacks/config.py: `make docs`."""

from __future__ import annotations

from pathlib import Path

from stacks.config import MAX_STAGE_NAME_LENGTH, PROTECTED_STAGES, ChartConfig, StageConfig
from stacks.settings import settings_of

PAGE = Path(__file__).with_name("configuration.md")

_HEAD = f"""# Configuration

<!-- Written by `make docs` from stacks/config.py. -->

A stage is a whole pipeline with data of its own. `context.stages` in `cdk.json` names the stages and, of each, what
differs from the defaults: `{{}}` is a stage. A name has lower-case letters and digits, a letter first, and at most
{MAX_STAGE_NAME_LENGTH} characters. What is wrong is told in one line, before anything is built:

```
error: cdk.json: stage 'dev', emulated: "yes" is not allowed: true or false
```

A stage that polls three charts, one of them with a provider to fall back on, and mails its alarms:

```json
"dev": {{
  "alarm_email": "charts@example.com",
  "charts": [
    {{"playlist": "37i9dQZEVXbMDoHDwVN2tF", "schedule": "cron(0 7,12,19 * * ? *)", "timezone": "Europe/Stockholm"}},
    {{"playlist": "37i9dQZEVXbNG2KDcFcKOF", "providers": ["playlist", "public_charts"]}},
    {{"playlist": "spotify:playlist:1AAAAAAAAAAAAAAAAAAAAA", "chart": "road-trip", "schedule": "rate(1 day)"}}
  ]
}}
```
"""

_LOCKS = f"""## Two locks on removal

To lose data takes two decisions. The first is in `cdk.json`: `removal` is `retain` unless a stage says `destroy`. The
second is in code: for {" and ".join(f"`{name}`" for name in PROTECTED_STAGES)}, which `PROTECTED_STAGES` in
`stacks/config.py` holds, `destroy` is refused whatever `cdk.json` says. The stacks of a stage that retains have
termination protection, and its buckets and log groups stay even if those are deleted. `etl destroy` empties buckets
only if both locks are open, and asks for the stage's name before.
"""

_CONTEXT = """## On the command line

| option of `cdk` and `etl deploy` | meaning | default |
|---|---|---|
| `-c stages=dev,prod` | The stages to synthesize. | all |
| `-c spotify_endpoint=http://127.0.0.1:8080` | A stand-in for Spotify, for stages with `emulated`. | Spotify |

Everything else in `context` is a feature flag of CDK's, all set to what CDK recommends for a new app but two, for which
`tests/infra/test_app.py` gives the reason. `@aws-cdk/core:validateAgainstDefaultRules` lets a synthesis fail that does
not pass CDK's own check of the templates, as it fails for a finding of cdk-nag; with `CDK_VALIDATION=false` in the
environment CDK's own check is left out, which takes some seconds.
"""


def render() -> str:
    """The page."""
    return "\n".join(
        [
            _HEAD,
            _section("A stage", "The keys of a stage.", StageConfig),
            _section("A chart", "The keys of each item of `charts`.", ChartConfig),
            _LOCKS,
            _CONTEXT,
        ]
    )


def _section(title: str, about: str, kind: type[object]) -> str:
    lines = [f"## {title}", "", about, "", "| key | meaning | allowed | default |", "|---|---|---|---|"]
    lines += [
        f"| `{key.name}` | {_cell(key.meaning)} | {_cell(key.allowed)} | {_cell(key.default)} |"
        for key in settings_of(kind)
    ]
    return "\n".join(lines) + "\n"


def _cell(words: str) -> str:
    """Words in a table's cell: nothing in them is markup."""
    return words.replace("|", "\\|").replace("*", "\\*").replace("<", "&lt;")


if __name__ == "__main__":
    PAGE.write_text(render(), "utf-8")
