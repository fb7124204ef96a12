// Loss and gradient of a chunk of logits, in place: ℒ = (1/n) Σ CE(m, p), m = (1 − ω)·onehot(y) + ω·q_τ (docs/method.md). One group a position.
// z = student logits, [M, columns], of which the first V are real; they become scale·(p − m), scale = 1/n, and 0 beyond V. scale = 0: losses alone, z is scratch then.
// y < 0: the position does not count, its gradient and figures are 0. Logits are those of a head without biases and cap.
// No kernel returns early or has a barrier in a branch: pocl 3.1 then lets work-items pass the bounds of a later loop.

// Figures of a position, in this order.
enum
{
    LOSS,
    NLL,        // −ln p(y)
    CONFIDENCE, // max p
    CORRECT,
    OMEGA, // ω_t
    GATE,  // h_t
    CROSS_ENTROPY,
    TEACHER_NLL,
    TEACHER_NLL_TEMPERED,
    TEACHER_ENTROPY,
    AGREES,
    FIGURES
};

// What a gate is, in memory: kind (0 none, 1 top_probability, 2 entropy, 3 observed, 4 bucket), θ, factors of easy, medium and hard, the bounds between them, and the factor on h_t (below 0: none).
static float gate_of(__global const float *gate, float top, float entropy, float nll)
{
    switch ((int)gate[0])
    {
    case 1:
        return top >= gate[1] ? 1.0f : 0.0f;
    case 2:
        return entropy <= gate[1] ? 1.0f : 0.0f;
    case 3:
        return fmin(1.0f, exp(-nll) / gate[1]);
    case 4:
        return nll <= gate[5] ? gate[2] : (nll <= gate[6] ? gate[3] : gate[4]);
    default:
        return 1.0f;
    }
}

static float omega_of(__global const float *gate, float omega, float h)
{
    float value = omega * h;
    return gate[7] < 0 ? value : fmin(0.95f, value * gate[7]);
}

KERNEL void plain_loss(
    __global float *z,
    __global const int *labels,
    __global float *figures,
    int vocabulary,
    int columns,
    float scale)
{
    __local float cells[GROUP];
    __local int places[GROUP];
    int m = get_group_id(0);
    __global float *row = z + (long)m * columns;
    figures += (long)m * FIGURES;
    float counted = labels[m] < 0 ? 0.0f : 1.0f;
    int label = max(labels[m], 0);
    int best;
    float maximum = row_maximum(row, vocabulary, cells, places, &best);
    float sum = 0;
    for (int i = get_local_id(0); i < vocabulary; i += GROUP)
    {
        sum += exp(row[i] - maximum);
    }

    float at_label = row[label];
    sum = group_sum(sum, cells);
    float nll = log(sum) - (at_label - maximum);
    if (get_local_id(0) == 0)
    {
        figures[LOSS] = counted * nll;
        figures[NLL] = counted * nll;
        figures[CONFIDENCE] = counted / sum;
        figures[CORRECT] = best == label ? counted : 0;
        for (int i = OMEGA; i < FIGURES; i++)
        {
            figures[i] = 0;
        }
    }

    int end = scale == 0 ? 0 : columns;
    float factor = counted * scale;
    for (int i = get_local_id(0); i < end; i += GROUP)
    {
        float p = i < vocabulary ? exp(row[i] - maximum) / sum : 0;
        row[i] = factor * (p - (i == label ? 1.0f : 0.0f));
    }
}

// Soft labels from a teacher's logits, live or given: s, [M, teacher_columns], read only. omega: ω_j of each position before its gate, [M].
KERNEL void teacher_loss(
    __global float *z,
    __global const float *s,
    __global const int *labels,
    __global const float *omegas,
    __global const float *gate,
    __global float *figures,
    int vocabulary,
    int columns,
    int teacher_columns,
    float scale,
    float temperature)
{
    __local float cells[GROUP];
    __local int places[GROUP];
    int m = get_group_id(0);
    __global float *row = z + (long)m * columns;
    __global const float *taught = s + (long)m * teacher_columns;
    figures += (long)m * FIGURES;
    float counted = labels[m] < 0 ? 0.0f : 1.0f;
    int label = max(labels[m], 0);
    int best;
    int teacher_best;
    float maximum = row_maximum(row, vocabulary, cells, places, &best);
    float teacher_maximum = row_maximum(taught, vocabulary, cells, places, &teacher_best);
    float sum = 0;           // Σ exp(z − max z)
    float tempered = 0;      // Σ e′, e′ = exp((s − max s)/τ)
    float student_sum = 0;   // Σ e′·(z − max z)
    float tempered_log = 0;  // Σ e′·(s − max s)/τ
    float plain = 0;         // Σ exp(s − max s)
    float plain_log = 0;     // Σ exp(s − max s)·(s − max s)
    for (int i = get_local_id(0); i < vocabulary; i += GROUP)
    {
        float student = row[i] - maximum;
        float teacher = taught[i] - teacher_maximum;
        float e = exp(teacher / temperature);
        float e_plain = exp(teacher);
        sum += exp(student);
        tempered += e;
        student_sum += e * student;
        tempered_log += e * (teacher / temperature);
        plain += e_plain;
        plain_log += e_plain * teacher;
    }

    float at_label = row[label] - maximum;
    float teacher_at_label = taught[label] - teacher_maximum;
    sum = group_sum(sum, cells);
    tempered = group_sum(tempered, cells);
    student_sum = group_sum(student_sum, cells);
    tempered_log = group_sum(tempered_log, cells);
    plain = group_sum(plain, cells);
    plain_log = group_sum(plain_log, cells);

    float nll = log(sum) - at_label;
    float cross_entropy = log(sum) - student_sum / tempered;
    float teacher_nll = log(plain) - teacher_at_label;
    float h = gate_of(gate, 1.0f / plain, log(plain) - plain_log / plain, teacher_nll);
    float omega = omega_of(gate, omegas[m], h);
    if (get_local_id(0) == 0)
    {
        figures[LOSS] = counted * ((1.0f - omega) * nll + omega * cross_entropy);
        figures[NLL] = counted * nll;
        figures[CONFIDENCE] = counted / sum;
        figures[CORRECT] = best == label ? counted : 0;
        figures[OMEGA] = counted * omega;
        figures[GATE] = counted * h;
        figures[CROSS_ENTROPY] = counted * cross_entropy;
        figures[TEACHER_NLL] = counted * teacher_nll;
        figures[TEACHER_NLL_TEMPERED] = counted * (log(tempered) - teacher_at_label / temperature);
        figures[TEACHER_ENTROPY] = counted * (log(tempered) - tempered_log / tempered);
        figures[AGREES] = best == teacher_best ? counted : 0;
    }

    int end = scale == 0 ? 0 : columns;
    float factor = counted * scale;
    for (int i = get_local_id(0); i < end; i += GROUP)
    {
        float gradient = 0;
        if (i < vocabulary)
        {
            float p = exp(row[i] - maximum) / sum;
            float q = exp((taught[i] - teacher_maximum) / temperature) / tempered;
            gradient = p - omega * q - (i == label ? 1.0f - omega : 0.0f);
        }

        row[i] = factor * gradient;
    }
}

// Soft labels as a cache keeps them: entries starts[m] … starts[m + 1] − 1 of ids and shares, each id once, the teacher's most likely one first. known: −ln q(y), −ln q_τ(y), H(q_τ) and max q of
// each position, [M, 4]. With a tail what is missing to 1 is spread over all other tokens as the student spreads it. scores: scratch, as long as ids.
KERNEL void sparse_loss(
    __global float *z,
    __global const int *starts,
    __global const int *ids,
    __global const float *shares,
    __global const float *known,
    __global float *scores,
    __global const int *labels,
    __global const float *omegas,
    __global const float *gate,
    __global float *figures,
    int vocabulary,
    int columns,
    int has_tail,
    float scale)
{
    __local float cells[GROUP];
    __local int places[GROUP];
    int m = get_group_id(0);
    __global float *row = z + (long)m * columns;
    figures += (long)m * FIGURES;
    known += (long)m * 4;
    float counted = labels[m] < 0 ? 0.0f : 1.0f;
    int label = max(labels[m], 0);
    int best;
    float maximum = row_maximum(row, vocabulary, cells, places, &best);
    float at_label = row[label] - maximum;
    int first = starts[m];
    int count = starts[m + 1] - first;
    float inner = 0; // Σ q̂·(z − max z)
    float mass = 0;  // Σ q̂
    float kept = 0;  // Σ exp(z − max z) of the entries
    for (int i = get_local_id(0); i < count; i += GROUP)
    {
        float score = row[ids[first + i]];
        scores[first + i] = score;
        inner += shares[first + i] * (score - maximum);
        mass += shares[first + i];
        kept += exp(score - maximum);
    }

    inner = group_sum(inner, cells);
    mass = group_sum(mass, cells);
    kept = group_sum(kept, cells);

    // With a tail the entries leave the sums below: 1 − Σ p of the entries would cancel.
    int left_out = has_tail ? count : 0;
    for (int i = get_local_id(0); i < left_out; i += GROUP)
    {
        row[ids[first + i]] = -INFINITY;
    }

    barrier(CLK_GLOBAL_MEM_FENCE);
    int unused;
    float rest_maximum = row_maximum(row, vocabulary, cells, places, &unused);
    bool has_rest = rest_maximum != -INFINITY; // without it all tokens are entries
    float rest = 0;                            // Σ exp(z − max of the rest)
    int real_end = has_rest ? vocabulary : 0;
    for (int i = get_local_id(0); i < real_end; i += GROUP)
    {
        rest += exp(row[i] - rest_maximum);
    }

    rest = group_sum(rest, cells);
    float sum = rest; // Σ exp(z − max z)
    float tail = 0;
    float cross_entropy;
    if (has_tail)
    {
        sum = kept + (has_rest ? rest * exp(rest_maximum - maximum) : 0.0f);
        tail = fmax(0.0f, 1.0f - mass);
        float to_rest = has_rest ? log(sum) - log(rest) - (rest_maximum - maximum) : 0.0f;
        cross_entropy = mass * log(sum) - inner + tail * to_rest;
    }
    else
    {
        cross_entropy = mass * log(sum) - inner;
    }

    float nll = log(sum) - at_label;
    float h = gate_of(gate, known[3], known[2], known[0]);
    float omega = omega_of(gate, omegas[m], h);
    if (get_local_id(0) == 0)
    {
        figures[LOSS] = counted * ((1.0f - omega) * nll + omega * cross_entropy);
        figures[NLL] = counted * nll;
        figures[CONFIDENCE] = counted / sum;
        figures[CORRECT] = best == label ? counted : 0;
        figures[OMEGA] = counted * omega;
        figures[GATE] = counted * h;
        figures[CROSS_ENTROPY] = counted * cross_entropy;
        figures[TEACHER_NLL] = counted * known[0];
        figures[TEACHER_NLL_TEMPERED] = counted * known[1];
        figures[TEACHER_ENTROPY] = counted * known[2];
        figures[AGREES] = count > 0 && best == ids[first] ? counted : 0;
    }

    // Outside the entries p − ω·tail·p/p_rest, one factor for all; without a tail that is p.
    int end = scale == 0 ? 0 : columns;
    int entries_end = scale == 0 ? 0 : count;
    scale *= counted;
    float factor = scale * (exp(rest_maximum - maximum) / sum - (has_rest && has_tail ? omega * tail / rest : 0.0f));
    for (int i = get_local_id(0); i < end; i += GROUP)
    {
        row[i] = i < real_end ? factor * exp(row[i] - rest_maximum) : 0.0f;
    }

    barrier(CLK_GLOBAL_MEM_FENCE);
    for (int i = get_local_id(0); i < entries_end; i += GROUP)
    {
        float p = exp(scores[first + i] - maximum) / sum;
        row[ids[first + i]] = scale * (p - omega * shares[first + i]);
    }

    barrier(CLK_GLOBAL_MEM_FENCE);
    if (get_local_id(0) == 0 && end > 0)
    {
        row[label] -= scale * (1.0f - omega);
    }
}
