// h = silu(a)·b with a and b side by side, [rows, 2F] (arXiv:2002.05202); one work-item an element of h.

KERNEL void swiglu(__global const real *inner, __global real *h, int rows, int width)
{
    long at = get_global_id(0);
    if (at >= (long)rows * width)
    {
        return;
    }

    long a = (at / width) * 2 * width + at % width;
    float value = load(inner, a);
    store(h, at, value / (1.0f + exp(-value)) * load(inner, a + width));
}

// a and b become ∂ℒ/∂a = g·b·silu′(a) and ∂ℒ/∂b = g·silu(a); g becomes h again, which the next product's weight gradient needs.
KERNEL void swiglu_gradient(__global real *inner, __global real *gradient, int rows, int width)
{
    long at = get_global_id(0);
    if (at >= (long)rows * width)
    {
        return;
    }

    long a = (at / width) * 2 * width + at % width;
    float value = load(inner, a);
    float up = load(inner, a + width);
    float g = load(gradient, at);
    float share = 1.0f / (1.0f + exp(-value));
    float silu = value * share;
    store(inner, a, g * up * (share + silu * (1.0f - share)));
    store(inner, a + width, g * silu);
    store(gradient, at, silu * up);
}
