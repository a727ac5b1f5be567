/* Labels of any size from coarse logits: bilinear resize of all classes, then argmax.
 *
 * The same function as upsampling.py, which says why it is right, and to the last pixel: this must be
 * compiled without contraction of products and sums (-ffp-contract=off). Called through ctypes.
 */

#include <math.h>
#include <stdint.h>
#include <string.h>

/* One direction of the grid: n samples have n + 1 cells, before, between and behind them. */
typedef struct {
    int64_t samples, size;
    const int32_t *first; /* [samples + 2]: first pixel of each cell, then size */
    const float *weight;  /* [size]: how far each pixel lies from the sample before it */
} direction;

static int64_t at_most(int64_t value, int64_t limit) { return value < limit ? value : limit; }

/* The class of each sample's largest logit, and whether rounding might let another one win.
 * Returns -1 where a logit is not finite or too large. */
static int choose_leaders(const float *restrict logits, int64_t samples, int64_t classes, float rounding,
                          float smallest, float largest, float *restrict tolerance, uint8_t *leader,
                          uint8_t *unsure)
{
    float best_magnitude = 0;
    int too_large = 0;
    for (int64_t c = 0; c < classes; c++)
        tolerance[c] = 0;
    /* Loops over the classes without branches: a compiler turns them into vector instructions. */
    for (int64_t i = 0; i < samples; i++) {
        const float *values = logits + i * classes;
        for (int64_t c = 0; c < classes; c++) {
            const float magnitude = fabsf(values[c]);
            too_large |= !(magnitude <= largest);
            tolerance[c] = magnitude > tolerance[c] ? magnitude : tolerance[c];
        }
        float best = values[0];
        int64_t id = 0;
        for (int64_t c = 1; c < classes; c++) {
            const int is_larger = values[c] > best;
            best = is_larger ? values[c] : best;
            id = is_larger ? c : id;
        }
        leader[i] = (uint8_t)id;
        best_magnitude = fabsf(best) > best_magnitude ? fabsf(best) : best_magnitude;
    }
    if (too_large)
        return -1;
    for (int64_t c = 0; c < classes; c++) {
        const float magnitude = tolerance[c] > best_magnitude ? tolerance[c] : best_magnitude;
        tolerance[c] = rounding * magnitude + smallest;
    }
    for (int64_t i = 0; i < samples; i++) {
        const float *values = logits + i * classes;
        const float best = values[leader[i]];
        int near = 0;
        for (int64_t c = 0; c < classes; c++)
            near += values[c] + tolerance[c] >= best;
        unsure[i] = near > 1;
    }
    return 0;
}

/* The classes of a cell that no leader of its corners is above at all four; returns their number. */
static int64_t choose_candidates(const float *const corner[4], const uint8_t leaders[4],
                                 int64_t classes, const float *tolerance, uint8_t *candidates)
{
    int64_t number = 0;
    for (int64_t c = 0; c < classes; c++) {
        int possible = 1;
        for (int j = 0; j < 4 && possible; j++) {
            int64_t rival = leaders[j];
            possible = 0;
            for (int i = 0; i < 4; i++)
                possible |= !(corner[i][c] + tolerance[c] < corner[i][rival]);
        }
        if (possible)
            candidates[number++] = (uint8_t)c;
    }
    return number;
}

/* One row of a cell: the candidate with the largest blend of top and bottom, [number, columns]. */
static void blend_row(const float *top, const float *bottom, const uint8_t *candidates,
                      int64_t number, int64_t columns, float f, float *best, uint8_t *out)
{
    const float rest = 1 - f;
    if (number == 2) {
        const float *next_top = top + columns, *next_bottom = bottom + columns;
        const uint8_t first = candidates[0], second = candidates[1];
        for (int64_t x = 0; x < columns; x++)
            out[x] = next_top[x] * rest + next_bottom[x] * f > top[x] * rest + bottom[x] * f
                         ? second
                         : first;
        return;
    }
    for (int64_t x = 0; x < columns; x++) {
        best[x] = top[x] * rest + bottom[x] * f;
        out[x] = candidates[0];
    }
    for (int64_t k = 1; k < number; k++) {
        top += columns;
        bottom += columns;
        const uint8_t id = candidates[k];
        for (int64_t x = 0; x < columns; x++) {
            float value = top[x] * rest + bottom[x] * f;
            out[x] = value > best[x] ? id : out[x];
            best[x] = value > best[x] ? value : best[x];
        }
    }
}

/* Writes labels [rows->size, columns->size].
 *
 * logits: [rows->samples, columns->samples, classes], 1 to 256 classes.
 * values: room for 2 * classes * (most pixels of a cell along a row) + that + classes.
 * bytes: room for 2 * samples + classes.
 * Returns how many pixels lay in cells of several classes, or -1 without having written anything
 * where a logit is larger than `largest` or no number. */
int64_t label_upsampling(const float *logits, const direction *rows, const direction *columns,
                         int64_t classes, float rounding, float smallest, float largest,
                         float *values, uint8_t *bytes, uint8_t *out)
{
    const int64_t width = columns->size, samples = rows->samples * columns->samples;
    float *tolerance = values, *room = values + classes;
    uint8_t *leader = bytes, *unsure = bytes + samples, *candidates = bytes + 2 * samples;
    int64_t blended = 0;
    if (choose_leaders(logits, samples, classes, rounding, smallest, largest, tolerance, leader,
                       unsure))
        return -1;
    for (int64_t cy = 0; cy <= rows->samples; cy++) {
        const int64_t y0 = rows->first[cy], y1 = rows->first[cy + 1];
        if (y0 == y1)
            continue;
        const int64_t above = (cy > 0 ? cy - 1 : 0) * columns->samples;
        const int64_t below = at_most(cy, rows->samples - 1) * columns->samples;
        /* As if every cell were one class's; the others are written over. */
        for (int64_t cx = 0; cx <= columns->samples; cx++) {
            const int64_t x0 = columns->first[cx];
            const int64_t left = cx > 0 ? cx - 1 : 0;
            memset(out + y0 * width + x0, leader[above + left], columns->first[cx + 1] - x0);
        }
        for (int64_t y = y0 + 1; y < y1; y++)
            memcpy(out + y * width, out + y0 * width, width);
        for (int64_t cx = 0; cx <= columns->samples; cx++) {
            const int64_t x0 = columns->first[cx], length = columns->first[cx + 1] - x0;
            const int64_t left = cx > 0 ? cx - 1 : 0, right = at_most(cx, columns->samples - 1);
            const int64_t place[4] = {above + left, above + right, below + left, below + right};
            const float *corner[4];
            uint8_t leaders[4];
            int mixed = 0;
            for (int i = 0; i < 4; i++) {
                corner[i] = logits + place[i] * classes;
                leaders[i] = leader[place[i]];
                mixed |= leaders[i] != leaders[0] || unsure[place[i]];
            }
            if (!mixed || !length)
                continue;
            blended += length * (y1 - y0);
            const int64_t number =
                choose_candidates(corner, leaders, classes, tolerance, candidates);
            float *best = room, *top = room + length, *bottom = top + number * length;
            for (int64_t k = 0; k < number; k++) {
                const uint8_t id = candidates[k];
                const float a = corner[0][id], b = corner[1][id];
                const float c = corner[2][id], d = corner[3][id];
                for (int64_t x = 0; x < length; x++) {
                    const float f = columns->weight[x0 + x];
                    top[k * length + x] = a * (1 - f) + b * f;
                    bottom[k * length + x] = c * (1 - f) + d * f;
                }
            }
            for (int64_t y = y0; y < y1; y++)
                blend_row(top, bottom, candidates, number, length, rows->weight[y], best,
                          out + y * width + x0);
        }
    }
    return blended;
}
