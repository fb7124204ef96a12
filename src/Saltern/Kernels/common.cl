// What all kernels share. OpenCL C, compiled twice: by clang-19 with libclc to PTX for GPUs (build/kernels.sh), and by pocl for the processor, where the tests run it.
// The other files follow this one in one translation unit. SALTERN_BF16 makes `real` bfloat16: what products read and write; sums are float32 in both.
#define GROUP 256 // work-items of a group, which all kernels are launched with
#define KERNEL __kernel __attribute__((reqd_work_group_size(GROUP, 1, 1)))

#ifdef SALTERN_BF16
typedef ushort real;

static float load(__global const real *from, long at) { return as_float((uint)from[at] << 16); }

// To the nearest, ties to even, as libtorch and the processor's kernels round; a NaN stays one.
static void store(__global real *to, long at, float value)
{
    uint bits = as_uint(value);
    uint rounded = (bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16;
    to[at] = (ushort)(isnan(value) ? 0x7FC0u : rounded);
}
#else
typedef float real;

static float load(__global const real *from, long at) { return from[at]; }

static void store(__global real *to, long at, float value) { to[at] = value; }
#endif

// The sum of a value over the group, in the same order each time.
static float group_sum(float value, __local float *cells)
{
    uint i = get_local_id(0);
    cells[i] = value;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (uint half_group = GROUP / 2; half_group > 0; half_group /= 2)
    {
        if (i < half_group)
        {
            cells[i] += cells[i + half_group];
        }

        barrier(CLK_LOCAL_MEM_FENCE);
    }

    float total = cells[0];
    barrier(CLK_LOCAL_MEM_FENCE);
    return total;
}

// The largest value of the group's and its lowest index. A NaN is larger than all.
static float group_maximum(float value, int index, __local float *cells, __local int *places, int *where)
{
    uint i = get_local_id(0);
    cells[i] = value;
    places[i] = index;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (uint half_group = GROUP / 2; half_group > 0; half_group /= 2)
    {
        if (i < half_group)
        {
            float other = cells[i + half_group];
            int other_place = places[i + half_group];
            bool larger = other > cells[i] || (isnan(other) && !isnan(cells[i]));
            if (larger || (other == cells[i] && other_place < places[i]))
            {
                cells[i] = other;
                places[i] = other_place;
            }
        }

        barrier(CLK_LOCAL_MEM_FENCE);
    }

    float maximum = cells[0];
    *where = places[0];
    barrier(CLK_LOCAL_MEM_FENCE);
    return maximum;
}

// The largest number of a row and its lowest index, for the whole group.
static float row_maximum(__global const float *row, int count, __local float *cells, __local int *places, int *where)
{
    float maximum = -INFINITY;
    int at = INT_MAX;
    for (int i = get_local_id(0); i < count; i += GROUP)
    {
        float value = row[i];
        if (value > maximum || at == INT_MAX || (isnan(value) && !isnan(maximum)))
        {
            maximum = value;
            at = i;
        }
    }

    return group_maximum(maximum, at, cells, places, where);
}
