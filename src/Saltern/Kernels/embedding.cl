// The gradient of the embedding without atomic additions: positions sorted by their token, each token's rows summed by one group in the order of the text, so that two runs are equal to the bit.

// table[token, D] += Σ of the token's rows. order: positions sorted by token, equal ones in their order; starts: where each token's positions begin in it, [tokens + 1]. One group a token.
KERNEL void embedding_gradient(
    __global const float *gradient,
    __global const int *order,
    __global const int *starts,
    __global const int *tokens,
    __global float *table,
    int width)
{
    int number = get_group_id(0);
    long row = (long)tokens[number] * width;
    for (int i = get_local_id(0); i < width; i += GROUP)
    {
        float sum = 0;
        for (int at = starts[number]; at < starts[number + 1]; at++)
        {
            sum += gradient[(long)order[at] * width + i];
        }

        table[row + i] += sum;
    }
}
