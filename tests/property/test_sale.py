"""The scripts obey the model, whatever happens in whatever order; a script that does not is found."""

import os

import pytest
from support.machines import Run, break_scripts, run_machine
from support.sale_machine import SaleMachine

from server.store.store import Store


def test_the_scripts_obey_the_model(on_loop: tuple[Run, Store]) -> None:
    run_machine(SaleMachine, *on_loop, examples=int(os.environ.get("SALE_EXAMPLES", "60")))


MUTATIONS = {
    "no stock check": ("if want.scarce then", "if false then"),
    "stock of the first line only": ("if want.scarce then", "if want.scarce and l == want.lines[1] then"),
    "no cap": ("if is_above_cap(shelf) then", "if false then"),
    "no flash cap": ("if f.cap and f.mine + f.asked > f.cap then", "if false then"),
    "no quota": ("if f.quantity and f.used + f.asked > f.quantity then", "if false then"),
    "due one ms late": ("o.expires <= sale_ms", "o.expires < sale_ms"),
    "cap not given back": ("move(o, 1, -1, 0, -1)", "move(o, 1, -1, 0, 0)"),
    "stock not given back": ("move(o, 1, -1, 0, -1)", "move(o, 0, 0, 0, -1)"),
    "due holds not free": ("shelf.left, made_room = shelf.left + units, true", "made_room = false"),
    "charged more than seen": ("if l.unit_minor > l.seen_minor then", "if false then"),
    "a deep price unasked": ("(takes_much(list, price) or cost and", "(cost and"),
    "a price below cost unasked": ("or cost and price < cost) and arg(9)", ") and arg(9)"),
    "percent of another hundred": ("tonumber(arg(8)) / 100", "tonumber(arg(8)) / 99"),
    "a flash price leaves no trace": ("if is_on_offer() and sale_ms >=", "if false and sale_ms >="),
    "a price of other shows is not taken": ("in string.gmatch(record,", "in string.gmatch('',"),
    "sold out of the bag": ("if product(l.sku).off then", "if false then"),
    "leaves with a flash price": ("if not p.off and has_flash(p) then", "if false then"),
    "the bag in another order": ("base .. 'skus', i, sku)", "base .. 'skus', -i, sku)"),
    "no window follows": ("if following then announce_flash", "if false then announce_flash"),
    "the next window at once": ("starts = starts + steps * every,", "starts = sale_ms,"),
    "goes on below the floor": ("if floor and price < floor then return nil, 'withdrawn' end", ""),
    "goes on when it was stopped": ("if stops and (following or", "if false and (following or"),
    "stopped by its newest name alone": ("(p.flash_series or p.flash_id) == series", "p.flash_id == id"),
    "between windows it is none": ("return has_window(p) or (", "return has_window(p) or (false and "),
    "sold while paused": ("if show.sales_paused == '1' then", "if false then"),
    "flash never used up": ("#ids < DUE_MAX and used >= quantity", "false"),
    "extended every time": ("if not o.extended then", "if true then"),
    "late money without room": (
        "then no, due = room_for(o.pid, lines_of(o)) end",
        "then no, due = nil, {} end",
    ),
    "written off and restocked": ("move(o, restock and 1 or 0, 0, -1", "move(o, 1, 0, -1"),
    "more goes back than was paid": ("if amount == 0 or amount > left_minor or", "if"),
    "units of a part stay counted": ("0, -1, -1, units)", "0, -1, 0, units)"),
    "done before all is back": ("if not ids[r.id] then return end", ""),
    "undone sales stay": ("elseif o.state == 'paid' then", "elseif false then"),
    "late money for what is undone": ("if not has_undone(o) then", "if true then"),
    "undone: other lines go back, too": ("if l.flash == flash and", "if"),
    "a line's price is another's": ("l.unit_minor * units[i]", "lines_of(o)[1].unit_minor * units[i]"),
    "parts not summed": ("shelf.asked = shelf.asked + units", "shelf.asked = units"),
    "caps of parts forgotten": ("if not no and is_above_cap(its) then", "if not no and false then"),
    "parts change": ("if p and (p.parts or '') ~= parts then", "if false then"),
    "bundles in bundles": ("(other.parts or '') ~= ''", "false"),
    "past those in line": ("(want.in_turn and 0 or p.waiting)", "0"),
    "the last in line first": ("p.sku, 0, 0, 'WITHSCORES'", "p.sku, -1, -1, 'WITHSCORES'"),
    "no turn when a hold is let go": ("release(o, 'cancelled')\ngive_turns()", "release(o, 'cancelled')"),
    "a turn beyond the cap": ("room_for(pid, {o}, true)", "nil, {}"),
    "a coupon that is used up": ("if f.quantity and f.used", "if f.quantity and not keys.coupon and f.used"),
    "a coupon beyond one's share": ("if f.cap and f.mine", "if f.cap and not keys.coupon and f.mine"),
    "a coupon does not come back": (
        "base .. keys[1], 'used', units)",
        "base .. keys[1], 'used', math.max(0, units))",
    ),
    "one's share of a coupon is not counted": (
        "base .. keys[2], o.pid, units)",
        "base .. keys[2], o.pid, 0)",
    ),
    "a coupon that is over": ("if is_coupon_over(c) then", "if false then"),
    "hoarders keep theirs as long": ("if ran_out >= RAN_OUT_MAX then", "if false then"),
    "a hold that is due is not seen": ("and not is_due(o) then break", "then break"),
    "a campaign goes before the show's flash price": ("{CAMPAIGN, SHOW_FLASH}", "{SHOW_FLASH, CAMPAIGN}"),
    "a campaign on the sale clock": (
        "CAMPAIGN.now, SHOW_FLASH.now = ts, sale_ms",
        "CAMPAIGN.now, SHOW_FLASH.now = sale_ms, sale_ms",
    ),
    "a campaign never ends": (
        "reduce(begun(r.now, show[r.starts], show[r.ends])",
        "reduce(begun(r.now, show[r.starts], '1e15')",
    ),
    "a campaign leaves no trace": ("if has_begun and is_on_offer()", "if false"),
    "a campaign below the floor": ("if floor and amount < floor then", "if false then"),
    "two campaigns": ("if has_reduction(CAMPAIGN) then return", "if false then return"),
    "another list price under a campaign": (
        "if in_reduction(CAMPAIGN, p) then return",
        "if false then return",
    ),
    "a campaign outlives its show": ("end_reductions(show.state == 'ended')", "end_reductions()"),
    "lost money stays paid": ("o.state == 'paid' and n == o.paid_by", "false"),
    "opening reserves": ("if pay_first then --", "if false then --"),
    "paid first without room": ("no, due = room_for(o.pid, lines_of(o))\n  if no", "due = {}\n  if no"),
    "declined keeps its units": ("move(o, 1, -1, 0, -1)\n      become(o, 'open'", "become(o, 'open'"),
    "who is banned begins to pay": ("local no = not_selling(lines_of(o))", "local no"),
    "what goes by lottery is ordered": ("if policy == 'lottery' then", "if false then"),
    "what goes by lottery is waited for": ("if p.hold_policy == 'lottery' then", "if false then"),
    "another policy while pinned": ("if p and is_policy_fixed(p, arg(11)) then", "if false then"),
}

LINE = ("wait_for_the_last", "come_before_the_sweeper", "hold_at_any_price")
BACK = ("buy", "refund", "refund_a_part")
FIRST = ("two_pay_first", "ban")
ENOUGH = {
    "opening reserves": FIRST,
    "paid first without room": FIRST,
    "declined keeps its units": FIRST,
    "who is banned begins to pay": FIRST,
    "what goes by lottery is ordered": ("put_policy", "hold_at_any_price"),
    "what goes by lottery is waited for": ("put_policy", "hold_at_any_price", "stand_in_line"),
    "another policy while pinned": ("put_policy", "pin"),
    "a turn beyond the cap": LINE,
    "past those in line": ("wait_for_the_last", "come_before_the_sweeper"),
    "undone: other lines go back, too": ("undo_while_paying", "sweep"),
    "stopped by its newest name alone": ("repeat_a_flash", "stop_flash"),
    "goes on below the floor": ("repeat_a_flash",),
    "no window follows": ("repeat_a_flash",),
    "between windows it is none": ("repeat_a_flash",),
    "goes on when it was stopped": ("repeat_a_flash",),
    "the next window at once": ("repeat_a_flash",),
    "flash never used up": ("flash_for_few",),
    "no quota": ("flash_for_few",),
    "a price below cost unasked": ("ask_unconfirmed",),
    "charged more than seen": ("hold",),
    "lost money stays paid": ("buy", "settle"),
    "written off and restocked": BACK,
    "more goes back than was paid": (*BACK, "give_back_what_was_just_paid"),
    "done before all is back": (*BACK, "give_back_what_was_just_paid", "refunded"),
    "units of a part stay counted": (*BACK, "put_product", "restock"),
    "a price of other shows is not taken": ("sell_elsewhere", "start_flash", "put_product"),
    "undone sales stay": ("start_flash", "buy", "undo_flash"),
    "late money for what is undone": ("undo_while_paying",),
    "late money without room": ("hold_at_any_price", "pay_too_late"),
    "another list price under a campaign": ("start_campaign", "put_product"),
    "a line's price is another's": ("buy_a_bag", "restock"),
    "caps of parts forgotten": ("hold_a_bundle_and_its_part", "buy"),
    "parts not summed": ("hold_a_bundle_and_its_part",),
    "sold while paused": ("change_life", "hold_at_any_price", "restock"),
    "extended every time": ("hold_at_any_price", "pay_in_vain", "pay"),
    "sold out of the bag": ("change_the_bag", "hold_at_any_price"),
    "stock not given back": ("hold_at_any_price", "cancel"),
    "due holds not free": ("hold_at_any_price", "act_at_the_last_moment"),
}
"""The rules by which these are found at once: all rules find each, too, but some only after minutes."""


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name == "no stock check" else pytest.mark.slow) for name in MUTATIONS],
)
def test_a_broken_script_is_found(name: str, on_loop: tuple[Run, Store]) -> None:
    run, store = on_loop
    break_scripts(store, *MUTATIONS[name])
    with pytest.raises(AssertionError):
        run_machine(SaleMachine, run, store, examples=1_000, shrink=False, only=ENOUGH.get(name, ()))
