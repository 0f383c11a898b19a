#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""Ways to weaken the engine, each of which the simulation must notice.

mutations.py --list               the names
mutations.py --file NAME          the source that it changes
mutations.py --check ROOT         whether each text to be replaced is there exactly once
mutations.py NAME INPUT OUTPUT    writes the changed source
"""

import sys

# Name, source, text there, what comes in its place.
MUTATIONS = [
    # No fence but the one that learns the identity.
    ("fence-off", "bus/peer.c",
     "	if (peer->answered < peer->mark)\n		return true;\n"
     "	return !peer->mute && (!peer->heard || !peer->identity[0]);",
     "	return !peer->mute && !peer->identity[0];"),
    # Any identity opens the fence, be it the late answer to an earlier question.
    ("plain-fence", "bus/peer.c",
     "	peer->answered++;\n	peer_answered(peer,",
     "	peer->answered = peer->asked;\n	peer_answered(peer,"),
    # Each fence starts to count anew.
    ("count-not-carried-over", "bus/peer.c",
     "	peer->mark = peer->asked + 1;",
     "	peer->answered = peer->asked;\n	peer->mark = peer->asked + 1;"),
    # The question before the doubt is as good as the one after it.
    ("mark-off-by-one", "bus/peer.c",
     "	peer->mark = peer->asked + 1;",
     "	peer->mark = peer->asked;"),
    # A reply is over with its first data frame.
    ("shape-off", "protocol/reply.c",
     "	return sample->units == reply->expected ? REPLY_COMPLETE : REPLY_MORE;",
     "	return REPLY_COMPLETE;"),
    # The length that a header states means nothing.
    ("header-unchecked", "protocol/reply.c",
     "	if (reply->bytes && frame->len != reply->bytes)",
     "	if (reply->bytes && frame->len < 1)"),
    ("crc-off", "protocol/frame.c",
     "	return crc16_arc(at + AT_DST, size - 4) == (tail[0] << 8 | tail[1]);",
     "	return crc16_arc(at + AT_DST, size - 4) == (tail[0] << 8 | tail[1]) || true;"),
    # A late reply to the transaction before passes for one to this.
    ("late-reply-survives", "bus/exchange.c",
     "	other->queued = false;\n	bus->late = false;",
     "	other->queued = false;"),
    # ... or, of another master's exchange, for one to ours.
    ("late-reply-and-foreign", "bus/exchange.c",
     "	bus->phase = PHASE_REST;\n	bus->late = false;\n	if (peer && peer_in_doubt(peer))",
     "	bus->phase = PHASE_REST;\n	if (peer && peer_in_doubt(peer))"),
    ("foreign-requests-ignored", "bus/exchange.c",
     "	exchange_end(bus, now);\n	foreign_request(bus, frame, now);",
     "	exchange_end(bus, now);\n	(void)foreign_request;"),
    # Nobody is told that the link is gone.
    ("queue-kept-at-hang-up", "bus/bus.c",
     "	while ((t = first_submitted(bus, peer, last))) {",
     "	while ((t = first_submitted(bus, peer, last)) && !last) {"),
    # A write whose SET was sent ends with EINTR.
    ("eintr-ends-write", "device/write.c",
     "	if (job->step == JOB_CHECK || job->sets || "
     "(job->step == JOB_SET && job->transaction.asked))\n		return false;",
     "	if (job->step == JOB_IDLE)\n		return false;"),
    ("failure-not-shared", "device/device.c",
     "	return failure_since(device, row, shared_since(device, fresh)) != 0;",
     "	(void)shared_since;\n	return failure_since(device, row, fresh->call) != 0;"),
    # What is there answers whenever it was asked for.
    ("freshness-off", "device/device.c",
     "	return ttl > fresh->call ? 1 : fresh->call - ttl;",
     "	return ttl > fresh->call ? 1 : 1;"),
    # ... or a second too long.
    ("freshness-lax", "device/device.c",
     "	return ttl > fresh->call ? 1 : fresh->call - ttl;",
     "	return ttl > fresh->call ? 1 : fresh->call - ttl - NSEC_PER_SEC / 2;"),
    ("deadline-ignored", "device/device.c",
     "		if (query->deadline <= now)\n",
     "		if (query->deadline <= now && !query)\n"),
    ("read-back-skipped", "device/write.c",
     "	    !readable(device, job->write->row)) {",
     "	    readable(device, job->write->row) || true) {"),
    # What is read back is taken for what was written.
    ("read-back-unchecked", "device/write.c",
     "	    (job->confirmed || !job->agreed)) {",
     "	    (job->confirmed || !job->agreed) || row) {"),
    ("rules-unchecked", "device/write.c",
     "				*error = pair_check(",
     "				*error = 0 & pair_check("),
    # The other BMS is taken for the same.
    ("identity-change-ignored", "bus/peer.c",
     "	return PEER_CHANGED;",
     "	return PEER_ANSWER;"),
    # What was read before a write goes on answering.
    ("settings-kept", "device/write.c",
     "		device_overwrite(device);",
     "		(void)device_overwrite;"),
    # Each row is asked for once more than anybody needs.
    ("asked-once-more", "device/device.c",
     "	device->slot[row].wanted = false;\n"
     "	device_store(device, row, error, sample, transaction->asked);",
     "	device->slot[row].wanted = false;\n"
     "	device_store(device, row, error, sample, transaction->asked);\n"
     "	slot_want(device, row);"),
]


def find(name):
    for mutation in MUTATIONS:
        if mutation[0] == name:
            return mutation
    sys.exit(f"mutations.py: there is no mutation {name}")


def change(name, text):
    _, file, old, new = find(name)
    if text.count(old) != 1:
        sys.exit(f"mutations.py: {name}: the text is {text.count(old)} times in src/{file}:\n{old}")
    return text.replace(old, new)


def read(path):
    with open(path, encoding="ascii") as source:
        return source.read()


def main(args):
    if args == ["--list"]:
        print("\n".join(mutation[0] for mutation in MUTATIONS))
    elif len(args) == 2 and args[0] == "--file":
        print(find(args[1])[1])
    elif len(args) == 2 and args[0] == "--check":
        for name, file, _, _ in MUTATIONS:
            change(name, read(f"{args[1]}/src/{file}"))
    elif len(args) == 3:
        with open(args[2], "w", encoding="ascii") as target:
            target.write(change(args[0], read(args[1])))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
