#!/usr/bin/env bash
# Which lines and branches the tests run: `build/coverage.sh [FOLDER]`; pages and a table by folder come to FOLDER (artifacts/coverage).
# The programs that tests start are counted with them, except those that are killed.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
out=$(realpath -m "${1:-$root/artifacts/coverage}")
export DOTNET_CLI_TELEMETRY_OPTOUT=1 TESTINGPLATFORM_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1

cd "$root" && dotnet tool restore
rm -rf "$out" && mkdir -p "$out/raw"
dotnet build -c Release -p:Coverage=true -p:RunAnalyzers=false -v q

# Without an exclusion of one's own, the collector leaves out every assembly that is also a package: Saltern.Core is one.
failed=0
for tests in tests/*.Tests; do
    dotnet test --project "$tests" -c Release --no-build -p:Coverage=true --results-directory "$out/raw/${tests#tests/}" \
        --coverlet --coverlet-output-format cobertura --coverlet-single-hit --coverlet-exclude '[xunit.*]*' \
        --coverlet-include '[Saltern.Text]*' --coverlet-include '[Saltern.Core]*' --coverlet-include '[saltern]*' --coverlet-include '[Saltern.Watch]*' --coverlet-include '[Saltern.Serve]*' \
        || failed=1
done

dotnet reportgenerator "-reports:$out/raw/**/*.cobertura*.xml" "-targetdir:$out" '-reporttypes:Html;Cobertura' -verbosity:Warning

# A row a folder. Lines stand once under their method and once under their class: the class's are counted.
awk -F'"' -v src="$root/src/" '
    /<class / { for (i = 1; i < NF; i++) if ($i ~ / filename=$/) folder = $(i + 1); sub(src, "", folder); sub("/[^/]*$", "", folder); inside = 0 }
    /<\/methods>|<methods \/>/ { inside = 1 }
    /<\/class>/ { inside = 0 }
    inside && /<line / {
        for (i = 1; i < NF; i++) {
            if ($i ~ / hits=$/) { lines[folder]++; run[folder] += ($(i + 1) > 0) }
            if ($i ~ / condition-coverage=$/) { split($(i + 1), part, /[(\/)]/); taken[folder] += part[2]; branches[folder] += part[3] }
        }
    }
    function share(some, all) { return all ? sprintf("%.1f %%", 100 * some / all) : "–" }
    function row(name, l, r, b, t) { return sprintf("| %s | %d | %s | %d | %s |", name, l, share(r, l), b, share(t, b)) }
    END {
        print "| folder | lines | run | branches | taken |"
        print "| --- | --- | --- | --- | --- |"
        fflush()
        for (name in lines) {
            print row(name, lines[name], run[name], branches[name], taken[name]) | "LC_ALL=C sort"
            l += lines[name]; r += run[name]; b += branches[name]; t += taken[name]
        }
        close("LC_ALL=C sort")
        print row("all", l, r, b, t)
    }' "$out/Cobertura.xml" | tee "$out/folders.md"
exit "$failed"
