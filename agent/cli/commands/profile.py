"""``aiodiag profile``: what should be in a unit of a model, learnt from a good one."""

from __future__ import annotations

import argparse
import json
from gettext import gettext as _
from typing import TYPE_CHECKING

from agent.cli.commands import Subparsers
from agent.cli.problem import INCOMPLETE, Problem, explained
from agent.cli.settings import state_directory
from agent.cli.streams import print_json, tell
from agent.model import Text
from agent.texts import render

if TYPE_CHECKING:
    from agent.diagnose.good_unit import Seen
    from agent.profiles import Profile, Shelf
    from agent.profiles.shelf import Kept


def register(subparsers: Subparsers, common: argparse.ArgumentParser) -> None:
    """Add the commands."""
    text = _("what a unit of this model should have, learnt from a good one")
    profile = subparsers.add_parser("profile", parents=[], help=text, description=text)
    actions = profile.add_subparsers(dest="action", required=True, metavar="ACTION")
    text = _("learn it from a unit that is known to be good")
    learn = actions.add_parser("learn", parents=[common], help=text, description=text)
    what = _("a run of a good unit: its id, directory, bundle or capture (default: this machine now)")
    learn.add_argument("source", nargs="?", metavar="RUN-OR-BUNDLE", help=what)
    what = _("runs of it and of other good units of the model, for what is measured: at least three units")
    learn.add_argument("more", nargs="*", metavar="RUN-OR-BUNDLE", help=what)
    learn.set_defaults(run=run_learn)
    text = _("the profiles that there are")
    listing = actions.add_parser("list", parents=[common], help=text, description=text)
    listing.set_defaults(run=run_list)
    text = _("what is in a profile")
    show = actions.add_parser("show", parents=[common], help=text, description=text)
    show.add_argument("name", nargs="?", metavar="NAME", help=_("its name (default: that of this unit's model)"))
    show.set_defaults(run=run_show)
    text = _("take away a profile that was learnt here")
    forget = actions.add_parser("forget", parents=[common], help=text, description=text)
    forget.add_argument("name", metavar="NAME")
    forget.set_defaults(run=run_forget)


def run_learn(args: argparse.Namespace) -> int:
    """Exit status 0, and in one line what was learnt and where it is kept; 2 when the unit is not known to be good."""
    from agent.diagnose.good_unit import NotGood, profile_of
    from agent.host import now
    from agent.profiles import Shelf

    shelf = Shelf(state_directory())
    seen = _seen(args.source, args.lang)
    try:
        profile = profile_of(seen, now(), [_seen(source, args.lang) for source in args.more])
    except NotGood as e:
        raise Problem(e.reason) from e
    path = shelf.put(profile)
    if seen.not_seen:
        from agent.texts.words import step_word

        what = ", ".join(render(step_word(step), args.lang) for step in seen.not_seen)
        tell(Text("not learnt, since it could not be looked at: {what}", {"what": what}), args.lang)
    if args.json:
        about = {"schema": 1, "name": profile.name, "path": str(path), "not_learnt": list(seen.not_seen)}
        print_json({**about, "profile": _document(profile)})
        return 0
    from agent.cli.plain import clean

    values = {"model": profile.title, "parts": _parts(profile, args.lang), "path": str(path)}
    values |= {"from": profile.source or render(Text("this machine"), args.lang)}
    print(
        clean(render(Text("Learnt from {from} what {model} should have ({parts}); kept in {path}", values), args.lang))
    )
    return 0


def run_list(args: argparse.Namespace) -> int:
    """Exit status 0, also where there is none."""
    kept = _shelf().all()
    if args.json:
        print_json({"schema": 1, "profiles": [_about(one) for one in kept]})
    else:
        from agent.cli.comparing import print_profiles

        print_profiles(kept, args.lang)
    return 0


def run_show(args: argparse.Namespace) -> int:
    """Exit status 0; 2 when there is none of that name, 3 when there is none of this unit's model."""
    shelf = _shelf()
    kept = _named(shelf, args.name) if args.name is not None else _own(shelf)
    if kept.profile is None:
        raise Problem(Text("{file} is not a profile: {error}", {"file": str(kept.path), "error": kept.problem}))
    if args.json:
        print_json(_document(kept.profile))
    else:
        from agent.cli.comparing import print_profile

        print_profile(kept.profile, args.lang)
    return 0


def run_forget(args: argparse.Namespace) -> int:
    """Exit status 0; 2 when there is none of that name, or when the agent brought it along."""
    shelf = _shelf()
    kept = _named(shelf, args.name)
    if kept.shipped:
        raise Problem(
            Text("{name} came with the agent; learning the model again puts another in its place", _name(kept))
        )
    shelf.forget(kept)
    if args.json:
        print_json({"schema": 1, "name": kept.name, "path": str(kept.path)})
    else:
        print(render(Text("Forgotten: {name}", _name(kept)), args.lang))
    return 0


def _shelf() -> Shelf:
    from agent.profiles import Shelf

    return Shelf(state_directory())


def _seen(source: str | None, language: str) -> Seen:
    from agent.diagnose.good_unit import of_diagnosis, of_machine

    if source is not None:
        from dataclasses import replace

        from agent.cli.runs import diagnosed, rounds_of

        with explained():
            return replace(of_diagnosis(diagnosed(source)), rounds=rounds_of(source))
    from agent.cli.progress import progress
    from agent.host import Host
    from agent.probes import areas
    from agent.runner.identity import probe

    with progress(language, len(areas())) as shown:
        return of_machine(probe(areas(), Host(), [shown]))


def _named(shelf: Shelf, name: str) -> Kept:
    kept = shelf.all()
    for one in kept:
        if one.name == name:
            return one
    known = ", ".join(one.name for one in kept) or "–"
    raise Problem(Text("there is no profile {name}; there are: {known}", {"name": name, "known": known}))


def _own(shelf: Shelf) -> Kept:
    from agent.host import Host
    from agent.runner.identity import identify

    kept = shelf.of(identify(Host()))
    if kept is None:
        text = Text("no profile of this model is known; learn one from a good unit with: aiodiag profile learn")
        raise Problem(text, INCOMPLETE)
    return kept


def _name(kept: Kept) -> dict[str, str]:
    return {"name": kept.name}


def _parts(profile: Profile, language: str) -> str:
    from collections import Counter

    from agent.texts.words import COMPONENTS

    counted = Counter(part.kind for part in profile.parts)
    return ", ".join(f"{count} × {render(COMPONENTS[kind], language)}" for kind, count in counted.items()) or "–"


def _about(kept: Kept) -> dict[str, object]:
    profile = kept.profile
    known = {"manufacturer": profile.manufacturer, "model": profile.model, "sku": profile.sku} if profile else {}
    learnt = {"learnt": profile.learnt} if profile else {"problem": kept.problem}
    return {"name": kept.name, "path": str(kept.path), "shipped": kept.shipped, **known, **learnt}


def _document(profile: Profile) -> dict[str, object]:
    from agent.profiles import encode

    document: dict[str, object] = json.loads(encode(profile))
    return document
