#!/usr/bin/env bash
# For the day a GPU is at hand: what is correct there, and how fast it is beside PyTorch, in at most 10 minutes of that machine. docs/cuda.md says what has been tried.
#   build/gpu-check.sh pack         where Saltern is built: kernels, program, tests and a small data set into artifacts/gpu.tar.xz, which travels
#   build/gpu-check.sh run [OUT]    on the machine with the GPU, in the same folder: Python with PyTorch 2.10 or 2.11 for CUDA is all it needs; nothing is built or fetched
# "run" stops starting things after 540 seconds; each has its own limit besides. A line that says "left out" was not measured.
set -u
cd "$(dirname "$0")/.."

pack() {
    set -e
    build/kernels.sh
    rm -rf artifacts/gpu artifacts/gpu.tar.xz
    local options=(-c Release -r linux-x64 --self-contained -p:SalternLibtorch=none -p:NuGetLockFilePath=obj/gpu.lock.json -p:RestoreForceEvaluate=true
        -p:RunAnalyzers=false -p:DebugType=none -p:GenerateDocumentationFile=false -m:1 -v q)
    dotnet publish src/Saltern.Cli "${options[@]}" -o artifacts/gpu/program
    dotnet publish tests/Saltern.Tests "${options[@]}" -o artifacts/gpu/program # one folder: the runtime travels once
    artifacts/gpu/program/saltern tokenizer train --input 'docs/*.md' --vocab 4096 --out artifacts/gpu/tokenizer.json
    artifacts/gpu/program/saltern prepare --input 'docs/*.md' --tokenizer artifacts/gpu/tokenizer.json --out artifacts/gpu/data
    tar -cJf artifacts/gpu.tar.xz artifacts/gpu artifacts/kernels
    ls -l artifacts/gpu.tar.xz
}

started=$SECONDS
limit=540

# step SECONDS NAME COMMAND…: runs it unless time is up; its output goes to OUT/NAME.txt.
step() {
    local seconds=$1 name=$2
    shift 2
    local left=$((limit - (SECONDS - started)))
    if [ "$left" -lt 15 ]; then
        echo "$name: left out, time is up"
        return 1
    fi

    local begun=$SECONDS status=0
    timeout "$((seconds < left ? seconds : left))" "$@" >"$out/$name.txt" 2>&1 || status=$?
    echo "$name: status $status after $((SECONDS - begun)) s"
    return "$status"
}

saltern() { # NAME --set KEY=VALUE…
    local name=$1
    shift
    step 40 "$name" artifacts/gpu/program/saltern bench "$out/plain.yaml" --seconds 8 --json --set device=cuda "$@"
}

pytorch() { # NAME arguments…
    local name=$1
    shift
    step 75 "$name" python3 benchmarks/peers/pytorch_step.py --device cuda --tuned --steps 60 "$@"
}

run() {
    out=${1:-${OUT:-artifacts/gpu-check}}
    mkdir -p "$out"
    command -v nvidia-smi >/dev/null || { echo "nvidia-smi is not on PATH: this machine has no NVIDIA driver" >&2; exit 1; }
    LD_LIBRARY_PATH=$(python3 -c 'import os, torch; print(os.path.join(os.path.dirname(torch.__file__), "lib"))') \
        || { echo "python3 has no PyTorch, whose libraries Saltern takes here" >&2; exit 1; }
    export LD_LIBRARY_PATH
    [ -d artifacts/gpu ] || tar -xJf artifacts/gpu.tar.xz || { echo "artifacts/gpu.tar.xz is not there: build/gpu-check.sh pack" >&2; exit 1; }
    nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv | tee "$out/gpu.txt"

    cat >"$out/plain.yaml" <<'YAML'
name: gpu-check
seed: 1
data: { path: artifacts/gpu/data, sequence_length: 512 }
model: { preset: 1.3m }
optimizer: { kind: adamw, learning_rate: 1.0e-3, weight_decay: 0.1, betas: [0.9, 0.95], max_gradient_norm: 1.0 }
schedule: { kind: cosine, warmup_steps: 2, final_share: 0.1 }
training: { steps: 20, batch_sequences: 8, evaluate_every: 20, checkpoint_every: 20, evaluation_tokens: 4096 }
YAML

    # 1. Correct: each kernel against the processor's arithmetic, libtorch's operators against their formulas, whole runs against the processor's.
    step 60 kernels artifacts/gpu/program/Saltern.Tests -noColor -class Saltern.Tests.Kernels.CudaKernelTests
    step 30 operators artifacts/gpu/program/Saltern.Tests -noColor -class Saltern.Tests.Numerics.FusedOperatorsTests
    step 120 runs artifacts/gpu/program/Saltern.Tests -noColor -class Saltern.Tests.Runs.CudaTests
    grep -h -E 'FAIL|Total:' "$out"/kernels.txt "$out"/operators.txt "$out"/runs.txt

    # 2. Fast: a plain step, beside PyTorch's.
    local small="--hidden 128 --layers 4 --heads 4 --feed-forward 352 --vocabulary 4096 --length 512 --sequences 8"
    local middle="--hidden 512 --layers 8 --heads 8 --feed-forward 1408 --vocabulary 4096 --length 512 --sequences 16"
    local large="--hidden 768 --layers 12 --heads 12 --feed-forward 2048 --vocabulary 50304 --length 1024 --sequences 32"
    saltern saltern-1.3m
    saltern saltern-1.3m-tf32 --set allow_tf32=true
    saltern saltern-30m-bf16 --set model.preset=30m --set training.batch_sequences=16 --set precision=bf16
    saltern saltern-124m-bf16 --set model.preset=null --set model.hidden_size=768 --set model.num_hidden_layers=12 --set model.num_attention_heads=12 \
        --set model.intermediate_size=2048 --set model.vocab_size=50304 --set data.sequence_length=1024 --set training.batch_sequences=32 --set precision=bf16
    # shellcheck disable=SC2086
    {
        pytorch pytorch-1.3m $small
        pytorch pytorch-30m-bf16 $middle --bf16
        pytorch pytorch-30m-bf16-compiled $middle --bf16 --compile
        pytorch pytorch-124m-bf16-compiled $large --bf16 --compile
    }

    # 3. Two runs of one recipe: equal to the bit or not.
    for turn in one two; do
        step 30 "run-$turn" artifacts/gpu/program/saltern train "$out/plain.yaml" --set device=cuda --out "$out/run-$turn"
    done
    python3 - "$out" <<'PYTHON'
import glob, hashlib, json, os, re, sys
out = sys.argv[1]


def text(name):
    path = os.path.join(out, name + ".txt")
    return open(path, errors="replace").read() if os.path.exists(path) else ""


def saltern(name):
    found = re.search(r"^\{.*^\}", text(name), re.M | re.S)
    return json.loads(found.group())["plain"] if found else None


def pytorch(name):
    lines = [line for line in text(name).splitlines() if line.startswith("{")]
    return json.loads(lines[-1]) if lines else None


print("\n| what | Saltern, ms | share of the matmul peak | PyTorch, ms | PyTorch over Saltern |\n| --- | --- | --- | --- | --- |")
for what, ours, theirs in [
    ("1.3M, float32", "saltern-1.3m", "pytorch-1.3m"),
    ("1.3M, TF32", "saltern-1.3m-tf32", "pytorch-1.3m"),
    ("30M, bf16, eager with fused attention and AdamW", "saltern-30m-bf16", "pytorch-30m-bf16"),
    ("30M, bf16, compiled", "saltern-30m-bf16", "pytorch-30m-bf16-compiled"),
    ("124M-class, bf16, compiled", "saltern-124m-bf16", "pytorch-124m-bf16-compiled"),
]:
    a, b = saltern(ours), pytorch(theirs)
    cells = [what]
    cells += [f"{1e3 * a['step_seconds']:.1f}", f"{a['share_of_peak']:.2f}"] if a else ["left out", ""]
    cells += [f"{b['wall_ms']:.1f}"] if b else ["left out"]
    cells += [f"{b['wall_ms'] / (1e3 * a['step_seconds']):.2f}"] if a and b else [""]
    print("| " + " | ".join(cells) + " |")

weights = []
for turn in ("one", "two"):
    files = sorted(glob.glob(os.path.join(out, f"run-{turn}", "**", "model*.safetensors"), recursive=True))
    weights.append(hashlib.sha256(open(files[-1], "rb").read()).hexdigest() if files else None)
if None in weights:
    print("\nTwo runs of a recipe: left out")
else:
    print("\nTwo runs of a recipe: " + ("equal bit for bit" if weights[0] == weights[1] else "not equal bit for bit"))
PYTHON
    echo "$((SECONDS - started)) seconds in all; the outputs are in $out"
}

case "${1:-}" in
    pack) pack ;;
    run) run "${2:-}" ;;
    *) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
