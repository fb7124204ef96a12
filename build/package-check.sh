#!/usr/bin/env bash
# Packs the tool, publishes the self-contained program and follows the container file's steps, each tried in an empty folder with an empty package cache
# and no environment but PATH and HOME. Prints sizes and first-run times as a table. Usage: build/package-check.sh [FOLDER]   (4 GB, some minutes; kept if given, and packages that are there are taken)
set -euo pipefail
cd "$(dirname "$0")/.."
work=${1:-$(mktemp -d)}
mkdir -p "$work"
work=$(realpath "$work")
[ $# -gt 0 ] || trap 'rm -rf "$work"' EXIT
dotnet=$(dirname "$(readlink -f "$(command -v dotnet)")")
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1

size() { du -sm "$1" | cut -f1; }
# Wall and processor seconds of a command in an empty folder; its output goes to FOLDER/NAME.txt.
timed() {
    local name=$1; shift
    mkdir -p "$work/run-$name"
    (cd "$work/run-$name" && TIMEFORMAT='%R %U %S' && { time "$@" >"$work/$name.txt" 2>&1; } 2>"$work/$name.time") || { cat "$work/$name.txt" >&2; echo "$name failed" >&2; kill $$; }
    awk '{ printf "%.1f s (%.1f s of processor time)", $1, $2 + $3 }' "$work/$name.time"
}
row() { echo "| $1 | $2 | $3 |"; }
# A text of one's own.
mkdir -p "$work/text"
cat docs/*.md docs/decisions/*.md README.md >"$work/text/own.txt"

# From a text to a model that has made a few steps, by the program that is named: what needs every native library.
cat >"$work/small.sh" <<'SMALL'
set -e
"$1" tokenizer train --input "$2" --vocab 1000 --out tokenizer.json
"$1" prepare --input "$2" --tokenizer tokenizer.json --out data --valid-percent 5 --text-piece-bytes 2000
"$1" train core-teacher --out run --set data.path=data data.sequence_length=64 training.steps=6 schedule.warmup_steps=1 training.evaluate_every=3 training.evaluation_tokens=1000 training.final_evaluation_tokens=2000 "training.keep_steps=[]"
"$1" generate run --prompt "The" --max-tokens 8
SMALL

echo "| what | size | time |"
echo "| --- | --- | --- |"

# 1. The tool, from a folder of packages into an empty place.
packed="as they were"
[ -d "$work/packages" ] || packed=$(timed pack dotnet pack "$PWD/src/Saltern.Cli" -c Release -o "$work/packages" -v quiet)
row "\`dotnet pack\`" "$(size "$work/packages") MB in $(ls "$work/packages" | wc -l) packages" "$packed"
version=$(ls "$work/packages" | sed -n 's/^Saltern\.Cli\.\([0-9].*\)\.nupkg$/\1/p')
printf '<configuration><packageSources><clear /><add key="here" value="%s" /></packageSources></configuration>\n' "$work/packages" >"$work/nuget.config"
installed=$(NUGET_PACKAGES="$work/cache" DOTNET_CLI_HOME="$work/home" timed install env -i PATH="$dotnet:/usr/bin:/bin" HOME="$work/home" NUGET_PACKAGES="$work/cache" DOTNET_CLI_HOME="$work/home" DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 \
    dotnet tool install Saltern.Cli --version "$version" --tool-path "$work/tool" --configfile "$work/nuget.config")
row "\`dotnet tool install\` from that folder, empty cache" "$(size "$work/tool") MB" "$installed"
row "first \`saltern --version\` of the tool" "" "$(timed tool-version env -i PATH="$dotnet:/usr/bin:/bin" HOME="$work/home" DOTNET_ROOT="$dotnet" "$work/tool/saltern" --version)"
row "text to tokenizer, data, six steps and a sample with it" "" "$(timed tool-small env -i PATH="$dotnet:/usr/bin:/bin" HOME="$work/home" DOTNET_ROOT="$dotnet" bash "$work/small.sh" "$work/tool/saltern" "$work/text")"

# 2. Self-contained: no .NET on the path at all.
published=$(timed publish dotnet publish "$PWD/src/Saltern.Cli" -c Release -r linux-x64 --self-contained -o "$work/self" -v quiet)
row "\`dotnet publish --self-contained\`" "$(size "$work/self") MB" "$published"
row "first \`saltern --version\` of it, no .NET on the path" "" "$(timed self-version env -i PATH=/usr/bin:/bin HOME="$work/home" DOTNET_ROOT=/nowhere "$work/self/saltern" --version)"
row "the same with it" "" "$(timed self-small env -i PATH=/usr/bin:/bin HOME="$work/home" DOTNET_ROOT=/nowhere bash "$work/small.sh" "$work/self/saltern" "$work/text")"

# 2b. The same in an image of nothing but the C and C++ libraries and OpenSSL (where this is root); without OpenSSL it has to say so.
if [ "$(id -u)" -eq 0 ]; then
    image=$work/image; libraries=$image/lib/x86_64-linux-gnu
    rm -rf "$image"
    mkdir -p "$libraries" "$image/lib64" "$image/proc" "$image/dev" "$image/tmp" "$image/bin"
    cp -al "$work/self" "$image/saltern" && cp -r "$work/text" "$image/text"
    library() { cp -L "$(ldconfig -p | awk -v name="$1" '$1 == name && /x86-64/ { print $NF; exit }')" "$2"; }
    library ld-linux-x86-64.so.2 "$image/lib64/"
    for name in libc.so.6 libm.so.6 libdl.so.2 libpthread.so.0 librt.so.1 libgcc_s.so.1 libstdc++.so.6; do library "$name" "$libraries/"; done
    mknod -m 666 "$image/dev/null" c 1 3 && mknod -m 444 "$image/dev/urandom" c 1 9
    # small.sh runs outside of it, each of its commands in it.
    cat >"$work/in-image" <<IN
#!/bin/sh
exec unshare --mount sh -c 'mount -t proc proc "\$0/proc" && exec env -i HOME=/tmp PATH=/bin unshare --root="\$0" --wd=/tmp /saltern/saltern "\$@"' "$image" "\$@"
IN
    chmod +x "$work/in-image"
    "$work/in-image" tokenizer train --input /text --vocab 300 --out none.json >"$work/no-openssl.txt" 2>&1 && { echo "the image has OpenSSL already" >&2; exit 1; }
    grep -q "apt-get install libssl3" "$work/no-openssl.txt" || { cat "$work/no-openssl.txt" >&2; exit 1; }
    for name in libssl.so.3 libcrypto.so.3; do library "$name" "$libraries/"; done
    row "the same in an image of $(ls "$libraries" "$image"/lib64 | grep -c '\.so') system libraries, $(size "$libraries") MB" "" "$(timed image bash "$work/small.sh" "$work/in-image" /text)"
    grep -q "final loss" "$work/image.txt" || { echo "the image did not end in a trained model" >&2; exit 1; }
fi

# 2c. The library, in a project of a stranger and as a file without one; their caches hold nothing of an earlier commit.
library=$(timed pack-library bash -c "dotnet pack '$PWD/src/Saltern.Text' -c Release -o '$work/library' -v quiet && dotnet pack '$PWD/src/Saltern' -c Release -o '$work/library' -v quiet")
row "\`dotnet pack\` of the library" "$(du -sk "$work/library" | cut -f1) kB in $(ls "$work/library"/*.nupkg | wc -l) packages" "$library"
mkdir -p "$work/stranger"
printf '<configuration><packageSources><add key="library" value="%s" /></packageSources></configuration>\n' "$work/library" >"$work/stranger/nuget.config"
cat >"$work/stranger.sh" <<'STRANGER'
set -e
cd "$2"
dotnet new console -o my-lab --force >/dev/null
(cd my-lab && dotnet add package Saltern --version "$3" >/dev/null && grep -v '^#' "$1/samples/first-run.cs" >Program.cs && dotnet run)
cp "$1/samples/first-run.cs" . && dotnet run first-run.cs
STRANGER
row "a console project with the package, and a file without a project" "" "$(NUGET_PACKAGES="$work/stranger-cache" timed stranger bash "$work/stranger.sh" "$PWD" "$work/stranger" "$version")"
[ "$(grep -c "final loss" "$work/stranger.txt")" = 2 ] || { echo "the library's package did not end in a trained model" >&2; exit 1; }

# 3. The steps of deploy/Containerfile: publish for the runtime, a link on the path, another user (where this is root).
contained=$(timed container-publish dotnet publish "$PWD/src/Saltern.Cli" -c Release -o "$work/app" -v quiet)
row "\`dotnet publish\` as in deploy/Containerfile" "$(size "$work/app") MB" "$contained"
mkdir -p "$work/bin" && ln -sf "$work/app/saltern" "$work/bin/saltern"
as=()
if [ "$(id -u)" -eq 0 ]; then
    as=(setpriv --reuid=nobody --regid=nogroup --clear-groups)
    chmod -R a+rX "$work" && mkdir -p "$work/run-container" && chmod a+rwx "$work/run-container"
fi
row "the same through the link$([ ${#as[@]} -eq 0 ] || echo ', as another user')" "" "$(timed container env -i PATH="$work/bin:/usr/bin:/bin" HOME=/nonexistent DOTNET_ROOT="$dotnet" "${as[@]}" bash "$work/small.sh" saltern "$work/text")"

for name in tool-small self-small container; do
    grep -q "final loss" "$work/$name.txt" || { echo "$name did not end in a trained model" >&2; exit 1; }
done
echo
echo "$(grep -m1 'model name' /proc/cpuinfo | cut -d: -f2 | xargs), $(nproc) cores, $(. /etc/os-release; echo "$PRETTY_NAME"), load $(cut -d' ' -f1 /proc/loadavg) at the end, version $version"
