"""The certificate of a verified repair: signed by the device, and as one page to print."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from agent.catalogue import entries
from agent.cli.plot import COLOURS, Line, plot
from agent.model import Text
from agent.texts import render

if TYPE_CHECKING:
    from agent.diagnose.series import Curve
    from uploader.keys import SigningKey

PAYLOAD_TYPE = "application/vnd.hibertek.aiodiag.certificate+json"
_VERDICTS = {
    "verified": Text("The reported fault is gone."),
    "still_faulty": Text("The reported fault is still there."),
    "other_fault": Text("The reported fault did not show, but another one did."),
    "not_restored": Text("The reported fault did not show, but what was measured with it is not restored."),
    "not_reached": Text("This could not be verified: the conditions under which the fault came were not reached."),
    "out_of_time": Text("This could not be verified in the time that was given."),
}
_RESTORED = {
    "restored": Text("restored"),
    "not restored": Text("not restored"),
    "says nothing": Text("says nothing"),
}
_WAYS = {"count": Text("the rounds without the fault"), "markers": Text("what was measured")}
_PLOTS = {
    "°C": Text("Temperatures, °C"),
    "rpm": Text("Fans, turns per minute"),
    "V": Text("Voltages, % off the mean of each"),
}
_STYLE = (
    "body{font:11pt/1.45 sans-serif;max-width:44em;margin:2em auto;color:#111}"
    "h1{font-size:18pt}table{border-collapse:collapse;width:100%}"
    "th,td{text-align:left;vertical-align:top;padding:.3em .8em .3em 0;border-bottom:1px solid #ccc}"
    "td{overflow-wrap:anywhere}"
    "figure{margin:1.2em 0;break-inside:avoid}figcaption{color:#444}"
    "th{width:16em;font-weight:normal;color:#444}.verdict{font-size:14pt;font-weight:bold}"
)


def signed(certificate: Mapping[str, Any], key: SigningKey) -> bytes:
    """The certificate in a DSSE envelope, signed by the device's key. Raises :class:`uploader.keys.KeyUnusable`."""
    from uploader import dsse, strict_json

    return dsse.sign(strict_json.canonical(dict(certificate)), PAYLOAD_TYPE, key)


def page(certificate: Mapping[str, Any], language: str, curves: Sequence[Curve] = ()) -> str:
    """The certificate as an HTML page without anything from elsewhere, in the person's language, and how the sensors
    went meanwhile.
    """

    def word(text: Text) -> str:
        return html.escape(render(text, language))

    rows = "".join(
        f"<tr><th>{word(label)}</th><td>{html.escape(value)}</td></tr>" for label, value in _rows(certificate, language)
    )
    title = word(Text("Verification of a repair"))
    return (
        f'<!doctype html><html lang="{html.escape(language.replace("_", "-"))}"><head><meta charset="utf-8">'
        f"<title>{title}</title><style>{_STYLE}</style></head><body><h1>{title}</h1>"
        f'<p class="verdict">{word(_VERDICTS[certificate["verdict"]])}</p><table>{rows}</table>'
        f"{_plots(curves, language)}</body></html>\n"
    )


def _plots(curves: Sequence[Curve], language: str) -> str:
    """One picture for each kind of sensor, of those sensors that changed most."""
    minutes, drawn = render(Text("min"), language), []
    for unit, title in _PLOTS.items():
        known = sorted((curve for curve in curves if curve.unit == unit), key=_change, reverse=True)
        lines = [_line(curve) for curve in known[: len(COLOURS)]]
        if not lines:
            continue
        left_out = len(known) - len(lines)
        more = render(Text("{count} sensors that changed less are not drawn", {"count": left_out}), language)
        caption = f"{html.escape(render(title, language))}{html.escape(f' ({more})') if left_out else ''}"
        drawn.append(f"<figure><figcaption>{caption}</figcaption>{plot(lines, minutes)}</figure>")
    return "".join(drawn)


def _change(curve: Curve) -> float:
    values = [value for _, value in curve.points]
    return (max(values) - min(values)) / (_mean(curve) or 1.0 if curve.unit == "V" else 1.0)


def _mean(curve: Curve) -> float:
    return sum(value for _, value in curve.points) / len(curve.points)


def _line(curve: Curve) -> Line:
    """A curve as it is drawn: of voltages, which lie far apart, how far each is from its own mean."""
    name = f"{curve.name} {curve.sensor}".strip()
    mean = _mean(curve)
    if curve.unit != "V" or not mean:
        return Line(name, curve.points)
    return Line(f"{name} ({mean:.3g} V)", [(at, 100.0 * (value / mean - 1.0)) for at, value in curve.points])


def _rows(certificate: Mapping[str, Any], language: str) -> list[tuple[Text, str]]:
    unit, fault, parts = certificate["unit"], certificate["fault"], certificate["parts"]
    known = entries().get(fault["code"])
    seen, least = certificate["reproduced"], certificate["least"]
    counts = {"clean": certificate["clean"], "needed": certificate["needed"]}
    new = [*(pair["new"] for pair in parts["exchanged"]), *parts["added"]]
    return [
        (Text("Serial number"), unit.get("serial", "–")),
        (Text("Model"), f"{unit.get('manufacturer', '')} {unit.get('model', '')}".strip() or "–"),
        (Text("RMA"), certificate["rma"] or "–"),
        (Text("Reported fault"), f"{fault['code']} {known.text('title', language) if known else ''}".strip()),
        (Text("Before the repair"), render(Text("in {failures} of {rounds} rounds", seen), language)),
        (
            Text("After the repair"),
            render(Text("{clean} rounds without it, of {needed} needed", counts), language),
        ),
        (Text("Confidence, by the rounds"), f"{100 * certificate['confidence']:.1f} %"),
        *_background(certificate, language),
        *((_measured(marker), _compared(marker, language)) for marker in certificate["markers"]),
        (
            Text(
                "Confidence of {confidence} % reached by", {"confidence": f"{100 * certificate['confidence_asked']:g}"}
            ),
            ", ".join(render(_WAYS[way], language) for way in certificate["verified_by"]) or "–",
        ),
        (Text("What was exercised"), f"{_exercised(certificate)}; {certificate['hours']:g} h"),
        (Text("At least so warm"), "–" if least["peak_c"] is None else f"{least['peak_c']:g} °C"),
        (Text("Other faults that showed"), ", ".join(f["code"] for f in certificate["faults"]) or "–"),
        (Text("Parts that are new"), "; ".join(_part(part) for part in new) or "–"),
        (Text("Date"), certificate["made"]),
        (Text("Run"), certificate["run_id"]),
        (Text("Recipe (SHA-256)"), certificate["recipe"]["sha256"]),
    ]


def _background(certificate: Mapping[str, Any], language: str) -> list[tuple[Text, str]]:
    """How a fault was counted that sound units have too."""
    test = certificate["sequential"]
    if test:
        values = {"sound": f"{100 * test['sound']:.2g}", "failing": f"{100 * test['failing']:.2g}"}
        said = Text("sound units have it in {sound} % of the rounds, this one had it in {failing} % at least", values)
        events = Text("in {events} rounds", {"events": certificate["events"]})
        return [
            (Text("It came after the repair"), render(events, language)),
            (Text("Judged by a sequential test"), render(said, language)),
        ]
    if not certificate["sound_units_show_it"]:
        return []
    said = Text("sound units have it too, but how often is not known well enough: it must not come at all")
    return [(Text("Judged by the strict count"), render(said, language))]


def _measured(marker: Mapping[str, Any]) -> Text:
    """What was measured, and where."""
    values = {"of": marker["of"]}
    return {
        "thermal_test.rise_per_watt": Text("Temperature rise per watt ({of})", values),
        "thermal_test.rise": Text("Temperature rise under load ({of})", values),
        "storage_read_test.latency_p99": Text("Time in which 99 % of the blocks were read ({of})", values),
    }.get(marker["reading"], Text("{reading} ({of})", {"reading": marker["reading"], **values}))


def _compared(marker: Mapping[str, Any], language: str) -> str:
    """The values before and after the repair, those of sound units, and what follows."""
    sound, chance = marker["sound"], marker["chance_unchanged"]
    values = {
        "before": _value(marker["before"], marker["unit"]),
        "after": _value(marker["after"], marker["unit"]),
        "restored": render(_RESTORED[marker["restored"]], language),
    }
    if sound is None:
        return render(
            Text("before {before}, after {after}; too few sound units are known: {restored}", values), language
        )
    values |= {"units": sound["units"], "low": f"{sound['low']:.3g}", "high": f"{sound['high']:.3g}"}
    said = Text("before {before}, after {after}; {units} sound units: {low} to {high}; {restored}", values)
    if chance is None:
        return render(said, language)
    unchanged = Text("such a step without a repair: a chance of {chance} %", {"chance": f"{100 * chance:.2g}"})
    return f"{render(said, language)} ({render(unchanged, language)})"


def _value(measured: Mapping[str, Any] | None, unit: str) -> str:
    if measured is None:
        return "–"
    error = "" if measured["error"] is None else f" ± {measured['error']:.2g}"
    return f"{measured['value']:.4g}{error} {unit}"


def _part(part: Mapping[str, str]) -> str:
    return " ".join(filter(None, (part["manufacturer"], part["model"] or part["description"], part["serial"])))


def _exercised(certificate: Mapping[str, Any]) -> str:
    """The tests; for an exercise without any (restarts), its name."""
    work = certificate["work"]
    return ", ".join(work["tests"]) or str(work["name"])
