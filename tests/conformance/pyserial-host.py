"""A host on Debian's pyserial: opens a port as Nordic's tools do, writes three credentials, and compares their digests.

usage: pyserial-host.py PORT listed|unlisted CA CERTIFICATE KEY; prints one JSON object.
"""

import hashlib
import json
import sys
import time

import serial
from serial.tools import list_ports

port, listed, *files = sys.argv[1:]
if listed == "listed" and port not in [each.device for each in list_ports.comports()]:
    sys.exit(f"{port} is not among the ports that pyserial lists")

with serial.Serial(port, 115200, rtscts=True, timeout=5) as line:
    line.reset_input_buffer()
    line.reset_output_buffer()
    line.write(b"\r\n")
    time.sleep(0.2)
    line.reset_input_buffer()

    def at(command):
        line.reset_input_buffer()
        line.write(command.encode() + b"\r\n")
        lines = []
        while True:
            text = line.readline().decode("utf-8", "replace").strip()
            if text == "OK" or text == "ERROR" or text.startswith("+CME ERROR"):
                return text, lines
            if text == "":
                sys.exit(f"no answer to {command[:20]}")
            lines.append(text)

    result = {"shell": at("at AT+CGSN")[0], "imei": at("AT+CGSN")[1][0], "version": serial.__version__}
    for command in ["AT+CMEE=1", "AT+CFUN=4"]:
        if at(command)[0] != "OK":
            sys.exit(f"{command} was refused")
    begun = time.monotonic()
    result["verified"] = []
    for kind, file in enumerate(files):
        with open(file, encoding="utf-8") as stream:
            content = stream.read().rstrip()
        written = at(f'AT%CMNG=0,42,{kind},"{content}"')[0]
        final, lines = at(f"AT%CMNG=1,42,{kind}")
        digest = lines[0].replace('"', "").split(",")[2] if lines else None
        expected = hashlib.sha256(content.encode()).hexdigest().upper()
        result["verified"].append([written, final, digest == expected])
    result["seconds"] = time.monotonic() - begun
    print(json.dumps(result))
