#!/usr/bin/env bash
# Changes the code in small ways and looks whether a test fails. `build/mutate.sh [AREA…]`; without an area all four, one after the other.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
export DOTNET_CLI_TELEMETRY_OPTOUT=1 RunAnalyzers=false

[ $# -gt 0 ] || set -- verdict schedules data losses
cd "$root" && dotnet tool restore
for area; do
    # MutationTests: the files of tests that this area needs; tests/Saltern.Tests/Saltern.Tests.csproj reads it.
    case "$area" in
        verdict) project=Saltern.Text; export MutationTests='Verdicts/*Tests.cs' ;;
        schedules) project=Saltern; export MutationTests='Guidance/*TransitionTests.cs;Guidance/WeightScheduleTests.cs;Optimization/LearningRateScheduleTests.cs' ;;
        data) project=Saltern; export MutationTests='Batches/*Tests.cs' ;;
        losses) project=Saltern; export MutationTests='Losses/*Tests.cs;Guidance/TransitionTests.cs' ;; # gates are tested there
        *) echo "There is no area '$area': verdict, schedules, data, losses." >&2; exit 2 ;;
    esac
    cd "$root/src/$project"
    dotnet stryker --config-file "../../build/mutate/$area.json" --output "$root/artifacts/mutation/$area" --skip-version-check
done
