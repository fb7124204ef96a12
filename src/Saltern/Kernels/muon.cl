// What Muon does between its products: momentum before the orthogonalisation, evening out (NorMuon, arXiv:2510.05491) and the update after it. All float32.
// What changes from step to step is read from memory, so that a captured graph need not be made anew.

// m = μ·m + (1 − μ)·c·g; direction = (1 − μ)·c·g + μ·m. numbers: μ, c (the clip).
KERNEL void muon_momentum(
    __global const float *gradient,
    __global float *momentum,
    __global float *direction,
    __global const float *numbers,
    long count)
{
    long at = get_global_id(0);
    if (at >= count)
    {
        return;
    }

    float share = numbers[0];
    float g = gradient[at] * numbers[1];
    float m = momentum[at] * share + g * (1.0f - share);
    momentum[at] = m;
    direction[at] = g * (1.0f - share) + m * share;
}

// moments = β·moments + (1 − β)·mean(direction²) of each row; one group a row.
KERNEL void muon_row_moments(__global const float *direction, __global float *moments, int columns, float beta)
{
    __local float cells[GROUP];
    long first = (long)get_group_id(0) * columns;
    float squares = 0;
    for (int i = get_local_id(0); i < columns; i += GROUP)
    {
        squares += direction[first + i] * direction[first + i];
    }

    float mean = group_sum(squares, cells) / columns;
    if (get_local_id(0) == 0)
    {
        moments[get_group_id(0)] = moments[get_group_id(0)] * beta + mean * (1.0f - beta);
    }
}

// The same of each column; one work-item a column.
KERNEL void muon_column_moments(
    __global const float *direction,
    __global float *moments,
    int rows,
    int columns,
    float beta)
{
    int column = get_global_id(0);
    if (column >= columns)
    {
        return;
    }

    float squares = 0;
    for (int row = 0; row < rows; row++)
    {
        float value = direction[(long)row * columns + column];
        squares += value * value;
    }

    moments[column] = moments[column] * beta + squares / rows * (1.0f - beta);
}

// direction over the root of its moments, in place; Σ direction² of each row before and after. One group a row.
KERNEL void muon_even_out(
    __global float *direction,
    __global const float *moments,
    __global float *sums,
    int columns,
    int by_row,
    float epsilon)
{
    __local float cells[GROUP];
    int row = get_group_id(0);
    long first = (long)row * columns;
    float before = 0;
    float after = 0;
    for (int i = get_local_id(0); i < columns; i += GROUP)
    {
        float value = direction[first + i];
        float even = value / (sqrt(moments[by_row ? row : i]) + epsilon);
        direction[first + i] = even;
        before += value * value;
        after += even * even;
    }

    before = group_sum(before, cells);
    after = group_sum(after, cells);
    if (get_local_id(0) == 0)
    {
        sums[2 * row] = before;
        sums[2 * row + 1] = after;
    }
}

// ‖direction before‖ / ‖direction after‖; one group.
KERNEL void muon_ratio(__global const float *sums, __global float *ratio, int rows)
{
    __local float cells[GROUP];
    float before = 0;
    float after = 0;
    for (int row = get_local_id(0); row < rows; row += GROUP)
    {
        before += sums[2 * row];
        after += sums[2 * row + 1];
    }

    before = group_sum(before, cells);
    after = group_sum(after, cells);
    if (get_local_id(0) == 0)
    {
        *ratio = sqrt(before) / fmax(sqrt(after), 1e-30f);
    }
}

// w = keep·w − rate·ratio·direction; a cautious decay only where the update makes the weight smaller too. numbers: rate (with the matrix's scale), keep.
KERNEL void muon_update(
    __global float *weight,
    __global const float *direction,
    __global const float *ratio,
    __global const float *numbers,
    int cautious,
    long count)
{
    long at = get_global_id(0);
    if (at >= count)
    {
        return;
    }

    float update = direction[at] * *ratio * numbers[0];
    float w = weight[at];
    bool decays = !cautious || update * w > 0;
    weight[at] = (decays ? w * numbers[1] : w) - update;
}
