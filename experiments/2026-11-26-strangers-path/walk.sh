#!/usr/bin/env bash
# A stranger's path: from a folder of packages and a text file of one's own to a verdict. Usage: walk.sh PACKAGES TEXT OUTPUT
# Works in an empty folder with an empty package cache and no environment but PATH and HOME; each step's command and output go to OUTPUT/NN-name.txt.
set -euo pipefail
packages=$(realpath "$1") text=$(realpath "$2") output=$(mkdir -p "$3" && realpath "$3")
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
cp -r "$packages" packages && cp "$text" manual.txt && mkdir home
dotnet=$(dirname "$(readlink -f "$(command -v dotnet)")")
number=0
step() {
    local name=$1 file seconds=$SECONDS; shift
    number=$((number + 1))
    file=$(printf '%s/%02d-%s.txt' "$output" "$number" "$name")
    printf '$ %s\n' "$*" >"$file"
    env -i PATH="$place/tool:$dotnet:/usr/bin:/bin" HOME="$place/home" DOTNET_ROOT="$dotnet" DOTNET_CLI_HOME="$place/home" NUGET_PACKAGES="$place/cache" DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 \
        bash -c "$*" >>"$file" 2>&1 || { cat "$file" >&2; exit 1; }
    # Nothing of the machine stays in what is kept.
    sed -i -e "s|$place/||g; s|$place|.|g" "$file"
    echo "$name: $((SECONDS - seconds)) s"
}

step install    'dotnet tool install Saltern.Cli --tool-path tool --source packages'
step begin      'saltern'
step mistake    'saltern trian || true'
step recipes    'saltern recipe list | head -n 12'
step tokenizer  'saltern tokenizer train --input manual.txt --vocab 1000 --out tokenizer.json'
step prepare    'saltern prepare --input manual.txt --tokenizer tokenizer.json --out data --valid-percent 3 --text-piece-bytes 4000'
# Small enough for a minute on a quiet machine: a path, not a finding.
short="data.path=data data.sequence_length=64 training.steps=${STEPS:-60} training.batch_sequences=8 training.evaluate_every=10 training.evaluation_tokens=2048 training.final_evaluation_tokens=4096 schedule.warmup_steps=5 threads=1"
step plan       "saltern plan core-salt --teacher 0.5m --seconds 0 --set $short"
step teacher    "saltern train core-teacher --out runs/teacher --set $short 'training.keep_steps=[]'"
step baseline   "saltern train core-baseline --out runs/baseline --set $short"
step salt       "saltern train core-salt --out runs/salt --set $short teacher.path=runs/teacher"
step compare    'saltern compare runs/baseline runs/salt --report report.html'
step generate   'saltern generate runs/salt --prompt "The function returns" --max-tokens 40'
cp report.html "$output/report.html"
