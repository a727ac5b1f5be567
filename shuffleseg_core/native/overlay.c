/* Class colours over an image. */

#include <stdint.h>
#include <string.h>

/* What one id does to a pixel, for 8 pixels side by side: out = (pixel * rest + color) >> 8. */
typedef struct {
    uint16_t color[24]; /* colour * opacity + 128, opacity in 256ths */
    uint16_t rest[24];  /* 256 - opacity */
} paint;

/* At most 255 * 256 + 128. */
static uint8_t blend(uint8_t pixel, uint16_t rest, uint16_t color)
{
    return (uint8_t)((uint16_t)(pixel * rest + color) >> 8);
}

/* image: uint8 [height, width, 3], rows step bytes apart. labels: [height, width] and
 * out: [height, width, 3], each in one piece; out may be the image. paints: one an id, [256].
 * Returns 0. */
int64_t overlay(const uint8_t *image, int64_t step, const uint8_t *labels, int64_t height,
                int64_t width, const paint *paints, uint8_t *out)
{
    for (int64_t y = 0; y < height; y++, image += step) {
        const uint8_t *pixels = image;
        int64_t x = 0;
        /* Loops of a known length over memory of their own: a compiler turns them into vector
         * instructions. Most groups are of one class. */
        for (; x + 8 <= width; x += 8, pixels += 24, labels += 8, out += 24) {
            const paint *first = paints + labels[0];
            uint8_t blended[24];
            uint64_t ids;
            memcpy(&ids, labels, 8);
            const uint16_t *color = first->color, *rest = first->rest;
            uint16_t colors[25], rests[25];
            if (ids != labels[0] * UINT64_C(0x0101010101010101)) {
                for (int i = 0; i < 8; i++) { /* the fourth value is written over by the next */
                    memcpy(colors + 3 * i, paints[labels[i]].color, 8);
                    memcpy(rests + 3 * i, paints[labels[i]].rest, 8);
                }
                color = colors;
                rest = rests;
            }
            for (int i = 0; i < 24; i++)
                blended[i] = blend(pixels[i], rest[i], color[i]);
            memcpy(out, blended, 24);
        }
        for (; x < width; x++, pixels += 3, labels++, out += 3) {
            const paint *one = paints + labels[0];
            for (int i = 0; i < 3; i++)
                out[i] = blend(pixels[i], one->rest[i], one->color[i]);
        }
    }
    return 0;
}
