// Queries, keys and values out of one product, queries and keys turned (arXiv:2104.09864), and back.
// qkv is [B, T, H + 2G, A]; q [B, H, T, A], k and v [B, G, T, A]; the first A_r elements of a head turn, element i with i + A_r/2; cosines and sines [T, A_r/2].
// One work-item an element of qkv.

typedef struct
{
    long whole; // place in qkv
    long part;  // place in q, k or v
    int kind;   // 0 query, 1 key, 2 value
    int element;
    int time;
} place;

static place place_of(long at, int length, int heads, int groups, int width)
{
    int all = heads + 2 * groups;
    int head = (at / width) % all;
    long row = at / ((long)width * all);
    place found;
    found.element = at % width;
    found.time = row % length;
    found.kind = head < heads ? 0 : (head < heads + groups ? 1 : 2);
    int of_kind = found.kind == 0 ? heads : groups;
    int number = found.kind == 0 ? head : (head - heads) % groups;
    found.whole = at;
    found.part = ((row / length * of_kind + number) * length + found.time) * width + found.element;
    return found;
}

KERNEL void rotary_split(
    __global const real *qkv,
    __global const float *cosines,
    __global const float *sines,
    __global real *q,
    __global real *k,
    __global real *v,
    int batch,
    int length,
    int heads,
    int groups,
    int width,
    int turned)
{
    long at = get_global_id(0);
    if (at >= (long)batch * length * (heads + 2 * groups) * width)
    {
        return;
    }

    place to = place_of(at, length, heads, groups, width);
    __global real *out = to.kind == 0 ? q : (to.kind == 1 ? k : v);
    if (to.kind == 2 || to.element >= turned)
    {
        out[to.part] = qkv[at];
        return;
    }

    int half_width = turned / 2;
    int i = to.element % half_width;
    bool is_first = to.element < half_width;
    float other = load(qkv, is_first ? at + half_width : at - half_width);
    float c = cosines[to.time * half_width + i];
    float s = sines[to.time * half_width + i];
    store(out, to.part, load(qkv, at) * c + (is_first ? -other : other) * s);
}

// The gradient: turned back.
KERNEL void rotary_merge(
    __global const real *q,
    __global const real *k,
    __global const real *v,
    __global const float *cosines,
    __global const float *sines,
    __global real *qkv,
    int batch,
    int length,
    int heads,
    int groups,
    int width,
    int turned)
{
    long at = get_global_id(0);
    if (at >= (long)batch * length * (heads + 2 * groups) * width)
    {
        return;
    }

    place from = place_of(at, length, heads, groups, width);
    __global const real *in = from.kind == 0 ? q : (from.kind == 1 ? k : v);
    if (from.kind == 2 || from.element >= turned)
    {
        qkv[at] = in[from.part];
        return;
    }

    int half_width = turned / 2;
    int i = from.element % half_width;
    bool is_first = from.element < half_width;
    float other = load(in, is_first ? from.part + half_width : from.part - half_width);
    float c = cosines[from.time * half_width + i];
    float s = sines[from.time * half_width + i];
    store(qkv, at, load(in, from.part) * c + (is_first ? other : -other) * s);
}
