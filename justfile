saltern := "dotnet run -c Release --project src/Saltern.Cli --"

# Build everything.
build:
    dotnet build -c Release

# Run all tests.
test:
    dotnet test -c Release

# Which small changes of the code no test would notice, e.g. `just mutate losses`; half an hour for all four areas.
mutate *areas:
    build/mutate.sh {{areas}}

# Which lines and branches the tests run, by folder; six minutes.
coverage *folder:
    build/coverage.sh {{folder}}

# Readers of files from outside under changed inputs, e.g. `just fuzz records --minutes 10`; `all` for each in turn.
fuzz reader *args:
    build/fuzz.sh {{reader}} {{args}}

# Format the code.
format:
    dotnet tool restore
    dotnet csharpier format .

# Fail where the code is not formatted.
format-check:
    dotnet tool restore
    dotnet csharpier check .
    dotnet format --verify-no-changes

# The whole road in minutes, e.g. `just demo --minutes 10`.
demo *args:
    {{saltern}} demo {{args}}

# The small model; all core recipes read data/core unless given --set data.path=FOLDER.
train-core-teacher *args:
    {{saltern}} train recipes/core-teacher.yaml {{args}}

# The student on its own.
train-core-baseline *args:
    {{saltern}} train recipes/core-baseline.yaml {{args}}

# The student with the teacher in stage 1.
train-core-salt *args:
    {{saltern}} train recipes/core-salt.yaml {{args}}

# The student with the teacher to the end.
train-core-rkd *args:
    {{saltern}} train recipes/core-rkd.yaml {{args}}

# Pack, install, publish and run as a stranger would, with sizes and first-run times; `just package-check FOLDER` keeps everything.
package-check *args:
    build/package-check.sh {{args}}
