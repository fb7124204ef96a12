#!/usr/bin/env bash
# Readers of files from outside, fuzzed with feedback of coverage: `build/fuzz.sh READER [--minutes N] [--seed N] [--corpus FOLDER] [--replay FILE]`.
# SharpFuzz counts in copies of the assemblies which blocks of code an input reaches (benchmarks/Saltern.Fuzz).
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1
built="$root/benchmarks/Saltern.Fuzz/bin/Release/net10.0"
copy="$root/artifacts/fuzz/bin"

dotnet build -c Release -v q "$root/benchmarks/Saltern.Fuzz" >&2
if [ ! -f "$copy/stamp" ] || [ -n "$(find "$built" -name 'Saltern*.dll' -newer "$copy/stamp")" ]; then
    rm -rf "$copy" && mkdir -p "$copy" && cp -r "$built/." "$copy/"
    dotnet "$built/Saltern.Fuzz.dll" instrument "$copy/Saltern.Text.dll" "$copy/Saltern.Core.dll"
    touch "$copy/stamp"
fi
cd "$root" && exec dotnet "$copy/Saltern.Fuzz.dll" "$@"
