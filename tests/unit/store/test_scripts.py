"""The loader's text work: header, library, role table."""

import re
from pathlib import Path

import pytest

from server.live.roles import role_table
from server.store.scripts import PRELUDE, SERVER, ScriptError, compose, load_scripts

TABLE = {"buy": frozenset({"viewer", "guest:buy"}), "pin": frozenset({"creator"})}


def test_the_header_names_the_script_and_only_the_roles_asked_about() -> None:
    script = compose("hold", "if not authorise('buy') then return 1 end", "-- prelude", TABLE)
    header = script.text.splitlines()[:2]
    assert header == [
        "local SCRIPT = 'hold'",
        "local ACTIONS = {['buy'] = {['guest:buy'] = true, ['viewer'] = true}}",
    ]


def test_a_body_may_name_the_actions_that_it_computes() -> None:
    script = compose("x", "-- asks about: buy, pin\nreturn authorise(arg(1))", "", TABLE)
    assert "['pin'] = {['creator'] = true}" in script.text


def test_an_unknown_action_stops_the_start() -> None:
    with pytest.raises(ScriptError, match="fly"):
        compose("x", "authorise('fly')", "", TABLE)


def test_the_name_in_the_store_is_of_the_whole_text() -> None:
    a, b, again = (compose("x", "return 1", before, TABLE) for before in ("a", "b", "a"))
    assert a.function == again.function != b.function
    assert a.function.startswith("x_")
    assert f"#!lua name={a.function}\n".encode() in a.library


def test_two_scripts_of_one_name_stop_the_start(tmp_path: Path) -> None:
    for part in ("a", "b"):
        (tmp_path / part / "lua").mkdir(parents=True)
        (tmp_path / part / "lua" / "same.lua").write_text("return {'ok'}")
    with pytest.raises(ScriptError, match="same"):
        load_scripts(TABLE, tmp_path)


def test_a_library_stands_before_every_body_of_its_directory_and_is_no_script(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "lua"
    folder.mkdir(parents=True)
    (folder / "_shared.lua").write_text("-- shared")
    (folder / "one.lua").write_text("-- one")
    scripts = load_scripts(TABLE, tmp_path)
    assert list(scripts) == ["one"]
    source = scripts["one"].text
    assert source.index(PRELUDE.read_text()) < source.index("-- shared") < source.index("-- one")


def test_every_script_of_the_server_asks_about_known_actions() -> None:
    scripts = load_scripts(role_table())
    assert {"create", "life", "member", "moderate", "snapshot"} <= scripts.keys()


def test_every_script_has_the_libraries_whose_functions_it_calls() -> None:
    libraries = "\n".join(path.read_text() for path in SERVER.glob("*/lua/_*.lua"))
    names = set(re.findall(r"^local function (\w+)\(", libraries, re.MULTILINE))
    missing: set[tuple[str, str]] = set()
    for script in load_scripts(role_table()).values():
        code = re.sub(r"--.*", "", script.text)
        called = set(re.findall(r"(?<![\w.])(\w+)\(", code))
        defined = set(re.findall(r"^local (?:function )?(\w+)", code, re.MULTILINE))
        missing |= {(script.name, name) for name in (called & names) - defined}
    assert not missing


LUA = frozenset(
    """and break do else elseif end false for function if in local nil not or repeat return then true until
    while assert error ipairs math next pairs pcall redis select setmetatable string table tonumber tostring
    type unpack cjson cmsgpack bit""".split()  # noqa: SIM905 - a list of 40 lines otherwise
)
DECLARED = re.compile(r"\blocal (?!function)([\w, ]+)|\bfunction\s*\w*\(([^)]*)\)|\bfor ([\w, ]+?)(?: in |=)")


def test_no_script_uses_a_name_that_nothing_declares() -> None:
    """Lua finds that out when the line runs, perhaps in the middle of a sale."""
    unknown: set[tuple[str, str]] = set()
    for script in load_scripts(role_table()).values():
        code = re.sub(r"--.*", "", script.text)
        code = re.sub(r"'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\"", "''", code)
        declared = set(re.findall(r"\bfunction (\w+)", code))
        for names in DECLARED.findall(code):
            declared |= set(re.findall(r"\w+", " ".join(names)))
        code = re.sub(r"([{,]\s*)\w+\s*=(?!=)", r"\1", code)  # keys of tables
        used = set(re.findall(r"(?<![\w.:])[A-Za-z_]\w*", code))
        unknown |= {(script.name, name) for name in used - declared - LUA}
    assert not unknown


OPTIMISTIC = {"sweep", "pin", "unpin", "flash_stop", "show_flash_stop", "campaign_stop"}
"""What time brings about, and what must also work while replicas are away: showing, and stopping a price."""


def test_every_script_of_the_sale_that_writes_is_a_promise_but_for_those_named_here() -> None:
    scripts = load_scripts(role_table())
    sale = {path.stem for path in SERVER.glob("commerce/lua/[!_]*.lua")}
    assert {name for name in sale if not (scripts[name].durable or scripts[name].reads)} == OPTIMISTIC


def test_nothing_that_buys_or_stops_a_sale_gives_way() -> None:
    ways = {name: script.gives_way for name, script in load_scripts(role_table()).items() if script.gives_way}
    assert ways == {
        "chat": "chat",
        "standing": "join",
        "snapshot": "join",
        "flash": "price",
        "product_put": "price",
        "price_rows": "price",
        "show_flash": "price",
        "campaign": "price",
        "bag_put": "price",
        "set_put": "price",
        "set_drop": "price",
        "coupon_put": "price",
        "products_import": "price",
        "pin": "price",
    }


def test_a_script_gives_way_as_something_that_is_known() -> None:
    with pytest.raises(ScriptError, match="gives way as bids"):
        compose("x", "-- gives way: bids\nreturn 1", "", TABLE)
