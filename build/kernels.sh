#!/usr/bin/env bash
# Compiles the kernels of src/Saltern/Kernels to PTX for GPUs, without NVIDIA's SDK: clang 19 with libclc (Debian: clang-19, libclc-19).
# build/kernels.sh [FOLDER]: one file for each architecture and type, artifacts/kernels/saltern-sm_90-bf16.ptx and so on. The same sources give the same bytes.
# sm_80 is for A100 and what came between it and sm_90; PTX for sm_90 runs on H100 and, translated by the driver, on all later GPUs.
set -eu
cd "$(dirname "$0")/.."
out=${1:-artifacts/kernels}
clang=${CLANG:-clang-19}
libclc=${LIBCLC:-/usr/lib/clc/nvptx64--nvidiacl.bc}
command -v "$clang" >/dev/null || { echo "$clang is not on PATH: install clang-19, or name the compiler in CLANG" >&2; exit 1; }
[ -f "$libclc" ] || { echo "$libclc is not there: install libclc-19, or name the file in LIBCLC" >&2; exit 1; }

mkdir -p "$out"
source=$(mktemp --suffix=.cl)
trap 'rm -f "$source"' EXIT
folder=src/Saltern/Kernels
{ cat "$folder/common.cl"; for file in $(LC_ALL=C ls "$folder"/*.cl | grep -v /common.cl); do cat "$file"; done; } >"$source"
for architecture in sm_80 sm_90; do
    for type in fp32 bf16; do
        defined=()
        if [ "$type" = bf16 ]; then defined=(-DSALTERN_BF16); fi
        "$clang" -x cl -cl-std=CL1.2 -target nvptx64--nvidiacl -march="$architecture" -O3 -Wall -Werror -Wno-unused-function \
            -Xclang -mlink-builtin-bitcode -Xclang "$libclc" -S -o - "${defined[@]}" - <"$source" >"$out/saltern-$architecture-$type.ptx"
        echo "$out/saltern-$architecture-$type.ptx: $(grep -c '\.visible \.entry' "$out/saltern-$architecture-$type.ptx") kernels"
    done
done
