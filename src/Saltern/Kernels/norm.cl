// y = x·r·w, r = 1/√(mean(x²) + ε) (arXiv:1910.07467), the residual sum in the same pass. D = width; one group a row.

// x + branch into sum (may be x itself), y and r of it.
KERNEL void residual_rms_norm(
    __global const float *x,
    __global const real *branch,
    __global float *sum,
    __global const float *weight,
    __global real *y,
    __global float *scales,
    int width,
    float epsilon)
{
    __local float cells[GROUP];
    long first = (long)get_group_id(0) * width;
    float squares = 0;
    for (int i = get_local_id(0); i < width; i += GROUP)
    {
        float value = x[first + i] + load(branch, first + i);
        sum[first + i] = value;
        squares += value * value;
    }

    float r = 1.0f / sqrt(group_sum(squares, cells) / width + epsilon);
    for (int i = get_local_id(0); i < width; i += GROUP)
    {
        store(y, first + i, sum[first + i] * r * weight[i]);
    }

    if (get_local_id(0) == 0)
    {
        scales[get_group_id(0)] = r;
    }
}

// The same of x alone.
KERNEL void rms_norm(
    __global const float *x,
    __global const float *weight,
    __global real *y,
    __global float *scales,
    int width,
    float epsilon)
{
    __local float cells[GROUP];
    long first = (long)get_group_id(0) * width;
    float squares = 0;
    for (int i = get_local_id(0); i < width; i += GROUP)
    {
        squares += x[first + i] * x[first + i];
    }

    float r = 1.0f / sqrt(group_sum(squares, cells) / width + epsilon);
    for (int i = get_local_id(0); i < width; i += GROUP)
    {
        store(y, first + i, x[first + i] * r * weight[i]);
    }

    if (get_local_id(0) == 0)
    {
        scales[get_group_id(0)] = r;
    }
}

// dx += r·(w∘g − x·r²·mean(w∘g∘x)); the residual path's gradient is in dx already, unless it is to be overwritten.
KERNEL void rms_norm_gradient(
    __global const float *x,
    __global const float *weight,
    __global const float *scales,
    __global const real *gradient,
    __global float *x_gradient,
    int width,
    int overwrite)
{
    __local float cells[GROUP];
    long first = (long)get_group_id(0) * width;
    float inner = 0;
    for (int i = get_local_id(0); i < width; i += GROUP)
    {
        inner += load(gradient, first + i) * weight[i] * x[first + i];
    }

    float r = scales[get_group_id(0)];
    float back = -r * r * r * group_sum(inner, cells) / width;
    for (int i = get_local_id(0); i < width; i += GROUP)
    {
        float dx = x[first + i] * back + load(gradient, first + i) * weight[i] * r;
        x_gradient[first + i] = overwrite ? dx : x_gradient[first + i] + dx;
    }
}

// Σ g∘x·r over the rows of each piece: partial[piece, D]. Groups: pieces · ⌈D / GROUP⌉.
KERNEL void rms_norm_weight_pieces(
    __global const float *x,
    __global const float *scales,
    __global const real *gradient,
    __global float *partial,
    int rows,
    int width,
    int piece_rows)
{
    int across = (width + GROUP - 1) / GROUP;
    int piece = get_group_id(0) / across;
    int i = (get_group_id(0) % across) * GROUP + get_local_id(0);
    if (i >= width)
    {
        return;
    }

    float sum = 0;
    int end = min(rows, (piece + 1) * piece_rows);
    for (int row = piece * piece_rows; row < end; row++)
    {
        sum += load(gradient, (long)row * width + i) * x[(long)row * width + i] * scales[row];
    }

    partial[(long)piece * width + i] = sum;
}

// total += the pieces, in their order: no atomics, so the bits are the same each time.
KERNEL void sum_pieces(__global const float *partial, __global float *total, int pieces, int width)
{
    int i = get_global_id(0);
    if (i >= width)
    {
        return;
    }

    float sum = 0;
    for (int piece = 0; piece < pieces; piece++)
    {
        sum += partial[(long)piece * width + i];
    }

    total[i] += sum;
}
