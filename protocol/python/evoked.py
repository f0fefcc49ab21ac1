"""Python client of evoked: one file, to be copied beside your rig's software. Needs pyzmq and numpy, Python 3.8 or newer.

A rig in a few lines (example_rig.py is a whole one):

    from evoked import Rig

    with Rig("tcp://127.0.0.1:5571") as rig:
        rig.open("monkey-2026-05-04", n_units=96, bins_ms=[(50, 150)])
        while True:
            for slot in rig.next_batch():
                counts, onset_us = show_and_record(slot.png)      # yours; counts: one a unit, or [unit, bin]
                rig.push(slot, counts, trial=trial, onset_us=onset_us, onset_source="photodiode")

push() puts a presentation into the outbox and never waits. It stays there until the daemon has written it to disk; what
is not answered is sent again, also when the daemon was restarted. Sending again is always safe. Leaving the `with` block
waits until everything is settled.

An operator:

    from evoked import Control

    control = Control("tcp://127.0.0.1:5573")
    print(control.status()["model"])
    control.exclude(17, "lost since the electrode moved")
    for snapshot in control.follow():
        print(snapshot["loop"]["batch"], snapshot["presentations"]["stored"])

What the daemon refuses is raised as an exception that carries its sentence: Refused (with .code and .field), Busy,
NoAnswer, OutboxFull. All are EvokedError. A client belongs to the thread that made it.
"""
import collections
import json
import os
import time
import warnings

import numpy as np
import zmq
from zmq.utils.monitor import recv_monitor_message

VERSION = 1
BLOCK_MAX = 64  # presentations in one message
BLOCK_BYTES_MAX = 1 << 20
BLOCKS_MAX = 8  # messages of presentations without an answer yet
RETRY_STORAGE_S = 1.0

OUTCOMES = ("complete", "broken_fixation", "dropped_frame", "artifact", "not_shown")
ONSET_SOURCES = ("photodiode", "ttl", "software")


class EvokedError(Exception):
    """Everything that this module raises by itself."""


class Refused(EvokedError):
    """The daemon answered `error`: .code is one of README.md, .field the field that is wrong, or None."""

    def __init__(self, text, code=None, field=None):
        super().__init__(text)
        self.code, self.field = code, field


class Busy(EvokedError):
    """The daemon had no time, or another rig writes, until the time was up."""


class NoAnswer(EvokedError):
    """Nobody answered in time."""


class OutboxFull(EvokedError):
    """As many presentations wait as may. Nothing was taken: poll() and push again, or drop it and say so."""


Slot = collections.namedtuple("Slot", "batch slot image kind repeat png")
Slot.__doc__ = """One image to show: batch and slot name it in push(); image is its hash, kind why it was chosen (natural,
informative_pool, maximizing, blank, ...), repeat how often it was planned before, png its bytes."""


class Batch(list):
    """The slots of one batch, in the order in which they are to be shown; .number, .origin (chosen or fallback)."""

    def __init__(self, slots, number, origin):
        super().__init__(slots)
        self.number, self.origin = number, origin


def _dealer(endpoint):
    socket = zmq.Context.instance().socket(zmq.DEALER)
    socket.linger = 0
    socket.immediate = 1  # nothing is queued for a daemon that is not there
    socket.sndhwm = socket.rcvhwm = 64
    socket.heartbeat_ivl, socket.heartbeat_timeout = 1000, 5000
    socket.handshake_ivl = 5000
    socket.reconnect_ivl, socket.reconnect_ivl_max = 100, 1000
    socket.connect(endpoint)
    return socket


def _frames(header, arrays):
    """Wire frames of a header and (name, dtype, array or bytes) triples."""
    if arrays:
        header = {**header, "frames": [{"name": name, "dtype": dtype, "shape": [len(data)] if dtype == "bytes" else
                                        list(data.shape)} for name, dtype, data in arrays]}
    return [json.dumps(header, allow_nan=False).encode()] + [
        data if dtype == "bytes" else np.ascontiguousarray(data).tobytes() for _, dtype, data in arrays]


def _parse(frames):
    """(header, arrays by name) of an answer; None for what is not one."""
    try:
        header = json.loads(frames[0])
        entries = header.get("frames", [])
        if header["v"] != VERSION or len(entries) != len(frames) - 1:
            return None
        return header, {entry["name"]: frame for entry, frame in zip(entries, frames[1:])}
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _refusal(header):
    return Refused(header.get("text", "no reason given"), header.get("code"), header.get("field"))


def _busy_text(header):
    holder = header.get("holder")
    return f"busy: {header.get('reason', 'no reason given')}" + (f", held by {holder}" if holder else "")


class Control:
    """The control socket: look and command. Each command returns when the daemon has written it down."""

    def __init__(self, endpoint="tcp://127.0.0.1:5573", timeout_s=5.0):
        self.endpoint, self.timeout_s = endpoint, timeout_s
        self._socket = _dealer(endpoint)
        self._id = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._socket.close()

    def ask(self, kind, **fields):
        """Any question, answered with (header, arrays by name). `busy` is waited out."""
        end = time.monotonic() + self.timeout_s
        trouble = None
        while True:
            self._id += 1
            header = {"v": VERSION, "type": kind, "id": self._id, **fields}
            if not self._socket.poll(self._left_ms(end), zmq.POLLOUT):
                raise NoAnswer(f"{self.endpoint}: nobody there in {self.timeout_s:g} s")
            self._socket.send_multipart(_frames(header, ()))
            answer = self._receive(end)
            if answer is None:
                raise Busy(trouble) if trouble else NoAnswer(f"{self.endpoint}: no answer in {self.timeout_s:g} s")
            if answer[0]["type"] == "error":
                raise _refusal(answer[0])
            if answer[0]["type"] != "busy":
                return answer
            trouble = _busy_text(answer[0])
            pause = answer[0].get("retry_ms", 100) / 1000
            if time.monotonic() + pause > end:
                raise Busy(trouble)
            time.sleep(pause)

    @staticmethod
    def _left_ms(end):
        return max(0, int(1000 * (end - time.monotonic())))

    def _receive(self, end):
        while self._socket.poll(self._left_ms(end)):
            answer = _parse(self._socket.recv_multipart())
            if answer and answer[0].get("id") == self._id:
                return answer
        return None

    def status(self):
        """The whole snapshot, as a dict (daemon/README.md names its fields)."""
        return self.ask("status")[0]

    def follow(self, timeout_s=None):
        """Snapshots as they are published, beginning with the present one. Ends when none comes for timeout_s."""
        snapshot = self.status()
        socket = zmq.Context.instance().socket(zmq.SUB)
        socket.linger = 0
        socket.conflate = 1  # each is whole: only the newest matters
        socket.subscribe(b"")
        socket.connect(snapshot["endpoints"]["status"])
        try:
            yield snapshot
            while socket.poll(None if timeout_s is None else int(1000 * timeout_s)):
                yield json.loads(socket.recv())
        finally:
            socket.close()

    def pause(self, reason=""):
        """No new batches are planned; the rig still gets images and is still recorded."""
        return self.ask("pause", reason=reason)[0]

    def resume(self, reason=""):
        return self.ask("resume", reason=reason)[0]

    def exclude(self, unit, reason):
        """From now on this unit (its id) has no say in what is shown."""
        return self.ask("exclude", unit=unit, reason=reason)[0]

    def include(self, unit, reason):
        return self.ask("include", unit=unit, reason=reason)[0]

    def natural(self, on, reason):
        """From the next batch on, natural images only (or no longer)."""
        return self.ask("natural", on=bool(on), reason=reason)[0]

    def note(self, text):
        """A remark for the session file."""
        return self.ask("note", text=text)[0]

    def stop(self):
        """Ends the daemon; the session stays open for its restart."""
        return self.ask("stop")[0]

    def get_image(self, image):
        """The PNG bytes of an image of the session, by its hash."""
        return self.ask("get_image", image=image)[1]["png"]


class _Entry:
    """A presentation in the outbox."""

    __slots__ = ("header", "responses", "mask", "block", "was_sent")

    def __init__(self, header, responses, mask):
        self.header, self.responses, self.mask = header, responses, mask
        self.block, self.was_sent = None, False


class Rig:
    """The rig socket. Numbers presentations, keeps them until they are settled, asks for batches.

    on_settled(number) is called for each presentation that is safe on disk; on_refused(number, reason) for one that the
    daemon will not take (it is settled too, and kept in the session file with the reason); on_conflict(number) when that
    number was stored before with other content. Without on_refused and on_conflict a warning is given."""

    def __init__(self, endpoint="tcp://127.0.0.1:5571", run=None, outbox_max=8192, resend_s=2.0, on_settled=None,
                 on_refused=None, on_conflict=None):
        self.endpoint = endpoint
        self.run = run or os.urandom(16).hex()
        self.outbox_max, self.resend_s = outbox_max, resend_s
        self.on_settled, self.on_refused, self.on_conflict = on_settled, on_refused, on_conflict
        self.welcome = None  # the daemon's last greeting
        self.last_batch = 0
        self.n_settled = self.n_resent = self.n_refused = self.n_conflicts = 0
        self._socket = _dealer(endpoint)
        self._monitor = self._socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        self._spec = None
        self._n_units = 0
        self._number = 0
        self._outbox = collections.OrderedDict()  # by number
        self._blocks = {}  # id of a message under way: (numbers, deadline)
        self._outbox_at = 0.0  # not before: the daemon was busy
        self._outbox_trouble = None
        self._answers = {}
        self._awaited = set()
        self._greeted = False
        self._hello = None  # (id, deadline)
        self._hello_at = 0.0
        self._hello_trouble = None  # why the daemon does not greet
        self._id = 0

    # --- a session ---

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.close(flush_s=0 if kind else 30.0)

    def hello(self, timeout_s=10.0):
        """Waits for the daemon and returns its `welcome`: state, session_name, settled_through, next_after, image."""
        self._lose_greeting()
        self._wait(lambda: self._greeted, timeout_s, "hello")
        return self.welcome

    def open(self, name, n_units=None, units=None, arrays=None, bins_ms=((50, 150),), target=None,
             response_type="counts", display=None, timeout_s=30.0):
        """Declares the session. Opening again with the same content goes on with it.

        name           letters, digits, "-_."; also of the session's file
        n_units, units how many units, or a list of {"id", "label", "array"}
        arrays         a list of {"name", "area", "rf": {"x_deg", "y_deg", "size_deg"}}; one of unknown place by default
        bins_ms        (start, end) of each response bin relative to the onset
        target         (first bin, number of bins) that are summed to the modelled response; all by default
        response_type  "counts" (integers from 0 to 10000) or "continuous" (float32)
        display        {"size_deg", "x_deg", "y_deg", "pixels_per_deg", "refresh_hz", "background": [r, g, b]}

        Returns the answer: session (its id), seed, image {width_px, height_px}."""
        if units is None:
            units = [{"id": i, "label": f"unit {i}", "array": 0} for i in range(n_units)]
        spec = {
            "name": name,
            "response_type": response_type,
            "arrays": list(arrays or [{"name": "A"}]),
            "units": list(units),
            "bins": [{"start_ms": start, "end_ms": end} for start, end in bins_ms],
        }
        if target:
            spec["target"] = {"first_bin": target[0], "n_bins": target[1]}
        if display:
            spec["display"] = display
        answer, _ = self._call("open", spec, "opened", timeout_s)
        self._spec, self._n_units = spec, len(spec["units"])
        self.last_batch = max(self.last_batch, self.welcome["next_after"])
        return answer

    def next_batch(self, timeout_s=120.0):
        """The next Batch of Slots. Asking again after a restart of the rig or of the daemon gives the same one."""
        header, arrays = self._call("next_batch", {"after": self.last_batch}, "batch", timeout_s)
        images = {i["image"]: arrays["png"][i["offset"]:i["offset"] + i["size"]] for i in header["images"]}
        number = header["batch"]
        slots = [Slot(number, s["slot"], s["image"], s["kind"], s["repeat"], images[s["image"]]) for s in header["slots"]]
        self.last_batch = number
        return Batch(slots, number, header["origin"])

    def push(self, slot, responses, trial, position=0, outcome="complete", commanded_us=None, onset_us=None,
             onset_source="software", mask=None):
        """Takes one presentation and returns its number; never waits.

        slot          a Slot of a batch, or the hash of an image of the rig's own (add_image())
        responses     [unit] or [unit, bin]; None for an image that was not shown
        trial         one fixation of the animal; position: in the trial, from 0
        outcome       complete, broken_fixation, dropped_frame, artifact, not_shown
        commanded_us, onset_us  in the rig's clock; the measured onset by photodiode, ttl or software
        mask          like responses, true where the value is missing"""
        if self._spec is None:
            raise EvokedError("open() the session first")
        if len(self._outbox) >= self.outbox_max:
            self.poll()
        if len(self._outbox) >= self.outbox_max:
            raise OutboxFull(f"{self.outbox_max} presentations wait to be settled"
                             + (f": {self._outbox_trouble}" if self._outbox_trouble else ""))
        if outcome not in OUTCOMES or onset_source not in ONSET_SOURCES:
            raise ValueError(f"outcome is one of {OUTCOMES}, onset_source one of {ONSET_SOURCES}")
        commanded_us = int(onset_us or 0) if commanded_us is None else int(commanded_us)
        header = {"number": self._number + 1, "trial": int(trial), "position": int(position),
                  "commanded_us": commanded_us, "outcome": outcome}
        if isinstance(slot, Slot):
            header.update(batch=slot.batch, slot=slot.slot)
        else:
            header["image"] = slot
        if outcome != "not_shown" or onset_us is not None:
            header.update(onset_us=commanded_us if onset_us is None else int(onset_us), onset_source=onset_source)
        entry = _Entry(header, *self._arrays(responses, mask))
        self._number += 1
        self._outbox[self._number] = entry
        self.poll()
        return self._number

    def _arrays(self, responses, mask):
        shape = (self._n_units, len(self._spec["bins"]))
        counts = self._spec["response_type"] == "counts"
        if responses is None:
            responses, mask = np.zeros(shape), np.ones(shape)
        values = np.asarray(responses, dtype=float).reshape(len(responses), -1)
        if values.shape != shape:
            raise ValueError(f"responses of {shape[0]} units and {shape[1]} bins expected, found {values.shape}")
        if mask is not None:
            mask = np.asarray(mask, dtype=bool).reshape(shape)
            values = np.where(mask, 0, values)
        if not np.isfinite(values).all():
            raise ValueError("responses that are not finite: mark what is missing in mask")
        if counts and (values.min(initial=0) < 0 or values.max(initial=0) > 65535 or (values != np.floor(values)).any()):
            raise ValueError("counts are integers from 0 on")
        return values.astype("<u2" if counts else "<f4"), None if mask is None else mask.astype("u1")

    def add_image(self, png, width_px, height_px, timeout_s=30.0):
        """Stores an image of the rig's own; returns the hash by which push() knows it."""
        return self._call("image", {"width_px": width_px, "height_px": height_px}, "image_stored", timeout_s,
                          [("png", "bytes", bytes(png))])[0]["image"]

    def set_units(self, add=(), retire=(), timeout_s=30.0):
        """From the next presentation on: units added (dicts, as in open()) and retired (ids; never used again)."""
        self.flush(timeout_s)
        answer, _ = self._call("units", {"from_number": self._number + 1, "add": list(add), "retire": list(retire)},
                               "units_set", timeout_s)
        self._n_units += len(add) - len(retire)
        return answer

    def amend(self, number, reason, outcome=None, trial=None, timeout_s=30.0):
        """A later word about a presentation, kept beside it."""
        fields = {"number": number, "reason": reason, "outcome": outcome, "trial": trial}
        self._call("amend", {k: v for k, v in fields.items() if v is not None}, "amended", timeout_s)

    def note(self, text, timeout_s=30.0):
        """A remark for the session file."""
        self._call("note", {"text": text}, "noted", timeout_s)

    def end_session(self, timeout_s=600.0):
        """Waits until all is settled, then ends the session for good: the sealed test is scored, the file closed."""
        self.flush(timeout_s)
        return self._call("close", {}, "closed", timeout_s)[0]

    def flush(self, timeout_s=30.0):
        """Until everything pushed is settled."""
        try:
            self._wait(lambda: not self._outbox, timeout_s, "flush")
        except (NoAnswer, Busy) as error:
            raise NoAnswer(f"{len(self._outbox)} presentations are not settled after {timeout_s:g} s: "
                           f"{self._outbox_trouble or error}") from None

    def close(self, flush_s=30.0):
        """Closes the connection, not the session. Waits at most flush_s for what is not settled."""
        try:
            if flush_s and self._outbox:
                self.flush(flush_s)
        finally:
            self._socket.disable_monitor()
            self._monitor.close()
            self._socket.close()

    # --- the connection ---

    def poll(self, timeout_s=0.0):
        """Sends what waits and receives what came; waits at most timeout_s for something to come."""
        now = time.monotonic()
        self._check_deadlines(now)
        blocked = self._send_due(now)
        poller = zmq.Poller()
        poller.register(self._socket, zmq.POLLIN | (zmq.POLLOUT if blocked and timeout_s > 0 else 0))
        poller.register(self._monitor, zmq.POLLIN)
        poller.poll(int(1000 * max(0.0, min(timeout_s, self._next_due(now) - now))))
        lost = False
        while self._monitor.poll(0):
            recv_monitor_message(self._monitor)
            lost = True
        if lost:
            self._lose_greeting()
        while self._socket.poll(0):
            answer = _parse(self._socket.recv_multipart())
            if answer:
                self._dispatch(*answer)
        self._send_due(time.monotonic())

    def _next_due(self, now):
        due = [deadline for _, deadline in self._blocks.values()]
        if self._hello:
            due.append(self._hello[1])
        elif not self._greeted and self._hello_at > now:
            due.append(self._hello_at)
        if self._outbox_at > now:
            due.append(self._outbox_at)
        return min(due, default=now + 1.0)

    def _next_id(self):
        self._id += 1
        return self._id

    def _send(self, header, arrays=()):
        """False when it cannot be sent now."""
        try:
            self._socket.send_multipart(_frames({"v": VERSION, "run": self.run, **header}, arrays), zmq.DONTWAIT)
            return True
        except zmq.Again:
            return False

    def _lose_greeting(self):
        """The connection broke, or nobody answers: what was sent goes again after the next greeting."""
        self._greeted, self._hello = False, None
        for numbers, _ in self._blocks.values():
            self._unsend(numbers)
        self._blocks.clear()

    def _unsend(self, numbers):
        for number in numbers:
            if number in self._outbox:
                self._outbox[number].block = None

    def _check_deadlines(self, now):
        late = any(deadline <= now for _, deadline in self._blocks.values())
        if late or (self._hello and self._hello[1] <= now):
            self._lose_greeting()

    def _send_due(self, now):
        """True when something could not be sent."""
        if not self._greeted:
            if self._hello is None and now >= self._hello_at:
                identity = self._next_id()
                if not self._send({"type": "hello", "id": identity}):
                    return True
                self._hello = (identity, now + self.resend_s)
            return False
        while self._spec and now >= self._outbox_at and len(self._blocks) < BLOCKS_MAX:
            entries = self._take_block()
            if not entries:
                return False
            identity = self._next_id()
            masks = None
            if any(e.mask is not None for e in entries):
                masks = np.stack([np.zeros(e.responses.shape, "u1") if e.mask is None else e.mask for e in entries])
            responses = np.stack([e.responses for e in entries])
            arrays = [("responses", "u16" if responses.dtype == "u2" else "f32", responses)]
            if masks is not None:
                arrays.append(("mask", "u8", masks))
            if not self._send({"type": "presentations", "id": identity, "presentations": [e.header for e in entries]},
                              arrays):
                return True
            for entry in entries:
                self.n_resent += entry.was_sent
                entry.block, entry.was_sent = identity, True
            self._blocks[identity] = ([e.header["number"] for e in entries], now + self.resend_s)
        return False

    def _take_block(self):
        """The oldest that wait, of the same units."""
        entries, size = [], 0
        for entry in self._outbox.values():
            if entry.block is not None:
                continue
            size += entry.responses.nbytes
            if entries and (len(entries) == BLOCK_MAX or size > BLOCK_BYTES_MAX
                            or entry.responses.shape != entries[0].responses.shape):
                break
            entries.append(entry)
        return entries

    # --- answers ---

    def _dispatch(self, header, arrays):
        identity = header.get("id")
        if self._hello and identity == self._hello[0]:
            self._take_welcome(header)
        elif identity in self._blocks:
            self._take_settled(header, self._blocks.pop(identity)[0])
        elif identity in self._awaited:
            self._answers[identity] = (header, arrays)

    def _take_welcome(self, header):
        self._hello = None
        if header["type"] == "welcome":
            self._greeted, self.welcome, self._hello_trouble = True, header, None
            self._settle_through(header["settled_through"])
            self._number = max(self._number, header["settled_through"])
            return
        refused = header["type"] == "error"
        self._hello_trouble = _refusal(header) if refused else Busy(_busy_text(header))
        self._hello_at = time.monotonic() + (self.resend_s if refused else header.get("retry_ms", 100) / 1000)

    def _settle(self, number):
        if self._outbox.pop(number, None) is not None:
            self.n_settled += 1
            if self.on_settled:
                self.on_settled(number)

    def _settle_through(self, through):
        for number in [n for n in self._outbox if n <= through]:
            self._settle(number)

    def _refuse(self, number, reason):
        self.n_refused += 1
        if self.on_refused:
            self.on_refused(number, reason)
        else:
            warnings.warn(f"presentation {number} was refused: {reason}", stacklevel=2)

    def _take_settled(self, header, numbers):
        if header["type"] == "settled":
            self._outbox_trouble = None
            for refused in header["refused"]:
                self._refuse(refused["number"], refused["reason"])
            for number in header["conflicts"]:
                self.n_conflicts += 1
                if self.on_conflict:
                    self.on_conflict(number)
                else:
                    warnings.warn(f"presentation {number} was stored before with other content", stacklevel=2)
            missing = set(header["missing"])
            self._unsend(missing.intersection(numbers))
            for number in numbers:
                if number not in missing:
                    self._settle(number)
            self._settle_through(header["settled_through"])
        elif header["type"] == "busy":
            self._outbox_trouble = _busy_text(header)
            self._outbox_at = time.monotonic() + header.get("retry_ms", 100) / 1000
            self._unsend(numbers)
        elif header.get("code") in ("state", "unknown_session", "storage"):
            self._outbox_trouble = header.get("text")  # it may take them later
            self._outbox_at = time.monotonic() + RETRY_STORAGE_S
            self._unsend(numbers)
            if header["code"] != "storage":
                self._lose_greeting()
        else:
            for number in numbers:
                self._refuse(number, header.get("text", "no reason given"))
                self._settle(number)

    # --- waiting ---

    def _wait(self, done, timeout_s, what):
        """Polls until done(). Raises what the daemon said when it will not greet, Busy, or NoAnswer."""
        end = time.monotonic() + timeout_s
        while not done():
            self.poll(min(0.5, max(0.0, end - time.monotonic())))
            if done():
                return
            if not self._greeted and isinstance(self._hello_trouble, Refused):
                trouble, self._hello_trouble = self._hello_trouble, None
                raise trouble
            if time.monotonic() >= end:
                raise self._hello_trouble or NoAnswer(f"{self.endpoint}: no answer to {what} in {timeout_s:g} s")

    def _call(self, kind, fields, answer_type, timeout_s, arrays=()):
        """One question: asked again until answered, `busy` waited out."""
        end = time.monotonic() + timeout_s
        trouble = None
        while True:
            self._wait(lambda: self._greeted, max(0.0, end - time.monotonic()), kind)
            identity = self._next_id()
            self._awaited.add(identity)
            try:
                answer = self._ask_once(identity, {"type": kind, "id": identity, **fields}, arrays, end,
                                        once=kind == "note")
            finally:
                self._awaited.discard(identity)
                self._answers.pop(identity, None)
            if answer is None:
                if time.monotonic() < end:
                    continue  # the connection was lost: greet, and ask again
                raise Busy(trouble) if trouble else NoAnswer(f"{self.endpoint}: no answer to {kind} in {timeout_s:g} s")
            header = answer[0]
            if header["type"] == "error":
                raise _refusal(header)
            if header["type"] == answer_type:
                return answer
            if header["type"] != "busy":
                raise EvokedError(f"{answer_type} expected as answer to {kind}, found {header['type']}")
            trouble = _busy_text(header)
            again = time.monotonic() + header.get("retry_ms", 100) / 1000
            while time.monotonic() < min(again, end):
                self.poll(max(0.0, min(again, end) - time.monotonic()))
            if again >= end:
                raise Busy(trouble)

    def _ask_once(self, identity, header, arrays, end, once):
        """The answer; None when the time is up, or the greeting was lost, or (but for a note) resend_s passed."""
        deadline = end if once else min(end, time.monotonic() + self.resend_s)
        sent = self._send(header, arrays)
        while identity not in self._answers:
            now = time.monotonic()
            if now >= deadline:
                if deadline < end:
                    self._lose_greeting()
                return None
            self.poll(deadline - now)
            if not self._greeted and not (once and sent):
                return None
            sent = sent or self._send(header, arrays)
        return self._answers[identity]
