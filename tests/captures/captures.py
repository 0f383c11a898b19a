# SPDX-License-Identifier: LGPL-3.0-or-later
"""The captures of this folder, for tests. With the name of a file it writes them there for C."""
import os
import sys

FOLDER = os.path.dirname(os.path.abspath(__file__))

# Names in C, where their bytes are, and which request they answer; None: the requests themselves.
ARRAYS = {
    "captured_requests": ("rec-1q", None, ("*IDN?", "LCD1?", "CELL?", "RINT?")),
    "captured_capa": ("rec-1q", "CAPA?"),
    "captured_cell": ("rec-1q", "CELL?"),
    "captured_cell_cut": ("rec-1q-cut", "CELL?"),
    "captured_set": ("rec-1q-set", "BMIN 3.94"),
    "rebuilt_lcd1": ("rec-1q", "LCD1?"),
    "rebuilt_lcd3": ("rec-1q", "LCD3?"),
    "rebuilt_btem": ("rec-1q-8-cells", "BTEM?"),
}


def lines(name):
    """The fields of each line that is no remark."""
    with open(os.path.join(FOLDER, name + ".capture"), encoding="ascii") as file:
        return [line.split() for line in file if not line.startswith("#")]


def exchanges(name):
    """Maps each request to its bytes and those of its first answer, b"" for none."""
    found = {}
    asked = None
    for _time, direction, data, *_remark in lines(name):
        data = bytes.fromhex(data)
        if direction == ">":
            asked = data[4:-3].decode("ascii")
            fresh = asked not in found
            found.setdefault(asked, [data, b""])
        elif fresh:
            found[asked][1] += data
    return found


def array(source, request, requests=()):
    found = exchanges(source)
    return found[request][1] if request else b"".join(found[text][0] for text in requests)


def main(path):
    with open(path, "w", encoding="ascii") as file:
        for name, where in ARRAYS.items():
            numbers = ", ".join(f"0x{byte:02X}" for byte in array(*where))
            file.write(f"static const uint8_t {name}[] = {{ {numbers} }};\n")


if __name__ == "__main__":
    main(sys.argv[1])
