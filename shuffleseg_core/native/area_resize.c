/* An image made smaller: every new pixel is the mean of the area that it covers. */

#include <stdint.h>
#include <stdlib.h>

/* One direction: which old pixels a new one covers. */
typedef struct {
    int64_t size;          /* of the new image */
    const int32_t *first;  /* [size]: first old pixel */
    const int32_t *begin;  /* [size + 1]: where its weights begin */
    const uint16_t *share; /* weights in 256ths; those of one new pixel sum to 256 */
} coverage;

/* from: uint8 [height, width, 3], rows from_step bytes apart, width pixels each.
 * to: uint8 [rows->size, columns->size, 3] in one piece.
 * Returns -1 where memory is short. */
int64_t area_resize(const uint8_t *from, int64_t from_step, int64_t width, const coverage *rows,
                    const coverage *columns, uint8_t *to)
{
    const int64_t length = 3 * width;
    uint16_t *restrict sum = malloc(length * sizeof *sum);
    if (!sum)
        return -1;
    for (int64_t y = 0; y < rows->size; y++) {
        const int32_t begin = rows->begin[y], number = rows->begin[y + 1] - begin;
        const uint8_t *restrict row = from + rows->first[y] * from_step;
        /* At most 255 * 256. */
        for (int64_t x = 0; x < length; x++)
            sum[x] = (uint16_t)(rows->share[begin] * row[x]);
        for (int32_t i = 1; i < number; i++) {
            const uint16_t share = rows->share[begin + i];
            row += from_step;
            for (int64_t x = 0; x < length; x++)
                sum[x] = (uint16_t)(sum[x] + share * row[x]);
        }
        for (int64_t x = 0; x < columns->size; x++) {
            const uint16_t *values = sum + 3 * (int64_t)columns->first[x];
            uint32_t red = 1 << 15, green = 1 << 15, blue = 1 << 15;
            for (int32_t i = columns->begin[x]; i < columns->begin[x + 1]; i++, values += 3) {
                const uint32_t share = columns->share[i];
                red += share * values[0];
                green += share * values[1];
                blue += share * values[2];
            }
            to[0] = (uint8_t)(red >> 16);
            to[1] = (uint8_t)(green >> 16);
            to[2] = (uint8_t)(blue >> 16);
            to += 3;
        }
    }
    free(sum);
    return 0;
}
