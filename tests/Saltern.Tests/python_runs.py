"""Runs scripts one after the other in this process, each with globals of its own: loading PyTorch takes longer than most of them.

Reads a line of JSON for each, ["script.py", "argument", …], and answers with a line: {"output": …, "error": …}, no error where the script ended well.
"""
import contextlib
import io
import json
import runpy
import sys
import traceback

for line in sys.stdin:
    script, *arguments = json.loads(line)
    sys.argv = [script, *arguments]
    output, error = io.StringIO(), ""
    try:
        with contextlib.redirect_stdout(output):
            runpy.run_path(script, run_name="__main__")
    except SystemExit as end:
        if end.code not in (None, 0):
            error = str(end.code)
    except BaseException:
        error = traceback.format_exc()
    print(json.dumps({"output": output.getvalue(), "error": error}), flush=True)
