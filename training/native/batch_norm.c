/* Batch norm in training mode, and the ReLU behind it: two passes over memory each way.
 *
 * All arrays are float32; pictures are [pixels, channels] in one piece. Pixels are taken several
 * at a time, as one row of `width` values, so that short channels fill vector instructions, too.
 */

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

/* The same loops for what the processor has; the loader chooses. */
#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GNUC__) && !defined(__clang__)
#define FOR_EACH_PROCESSOR __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define FOR_EACH_PROCESSOR
#endif

/* Values of a row, about; rows that are summed in float32 before they go to float64. */
enum { WIDTH = 512, ROWS = 16, SAMPLES = 16 };

static int64_t at_most(int64_t value, int64_t limit) { return value < limit ? value : limit; }

/* Whole pixels of about WIDTH values. */
static int64_t row_width(int64_t pixels, int64_t channels)
{
    const int64_t together = WIDTH / channels;
    return channels * at_most(together > 1 ? together : 1, pixels);
}

/* Adds a block's sums, [width], to those of the channels. */
static void fold(float *sums, int64_t width, int64_t channels, double *totals)
{
    for (int64_t i = 0; i < width; i += channels)
        for (int64_t c = 0; c < channels; c++) {
            totals[c] += sums[i + c];
            sums[i + c] = 0;
        }
}

/* What each value of a row is multiplied by, [width], from what its channel is, [channels]. */
static void repeat(const float *values, int64_t width, int64_t channels, float *repeated)
{
    for (int64_t i = 0; i < width; i += channels)
        for (int64_t c = 0; c < channels; c++)
            repeated[i + c] = values[c];
}

static float inverse_deviation(float variance, float epsilon)
{
    return (float)(1 / sqrt((double)variance + (double)epsilon));
}

/* out = (x - mean) / sqrt(variance + epsilon) * gamma + beta, below 0 then 0 if `rectify`.
 * mean, variance: of x over the pixels, [channels], are put out as well.
 * Returns -1 where memory is short. */
FOR_EACH_PROCESSOR
int64_t batch_norm_forward(const float *restrict x, int64_t pixels, int64_t channels,
                           const float *gamma, const float *beta, float epsilon, int32_t rectify,
                           float *restrict out, float *mean, float *variance)
{
    const int64_t values = pixels * channels, width = row_width(pixels, channels);
    float *restrict row = malloc(3 * width * sizeof *row);
    if (!row)
        return -1;
    float *restrict sum = row + width, *restrict square = sum + width;
    double *total = malloc(2 * channels * sizeof *total), *squares = total + channels;
    if (!total) {
        free(row);
        return -1;
    }
    /* Sums of differences to something near the mean: the variance of values far from 0 is not
     * a small difference of large numbers. */
    const int64_t samples = at_most(SAMPLES, pixels);
    for (int64_t c = 0; c < channels; c++) {
        double near = 0;
        for (int64_t s = 0; s < samples; s++)
            near += x[s * (pixels / samples) * channels + c];
        mean[c] = (float)(near / samples);
        total[c] = squares[c] = 0;
    }
    repeat(mean, width, channels, row);
    for (int64_t i = 0; i < width; i++)
        sum[i] = square[i] = 0;
    int64_t rows = 0;
    for (int64_t start = 0; start < values; start += width) {
        const int64_t length = at_most(width, values - start);
        const float *restrict from = x + start;
        for (int64_t i = 0; i < length; i++) {
            const float difference = from[i] - row[i];
            sum[i] += difference;
            square[i] += difference * difference;
        }
        if (++rows % ROWS == 0 || start + width >= values) {
            fold(sum, width, channels, total);
            fold(square, width, channels, squares);
        }
    }
    for (int64_t c = 0; c < channels; c++) {
        const double offset = total[c] / pixels, spread = squares[c] / pixels - offset * offset;
        mean[c] = (float)(mean[c] + offset);
        variance[c] = spread < 0 ? 0 : (float)spread;
    }
    /* The two sums' memory now holds what each value is multiplied by and what is added. */
    for (int64_t i = 0; i < width; i += channels)
        for (int64_t c = 0; c < channels; c++) {
            row[i + c] = mean[c];
            sum[i + c] = gamma[c] * inverse_deviation(variance[c], epsilon);
            square[i + c] = beta[c];
        }
    for (int64_t start = 0; start < values; start += width) {
        const int64_t length = at_most(width, values - start);
        const float *restrict from = x + start;
        float *restrict to = out + start;
        if (rectify)
            for (int64_t i = 0; i < length; i++) {
                const float value = (from[i] - row[i]) * sum[i] + square[i];
                to[i] = value < 0 ? 0 : value; /* what is no number stays none */
            }
        else
            for (int64_t i = 0; i < length; i++)
                to[i] = (from[i] - row[i]) * sum[i] + square[i];
    }
    free(total);
    free(row);
    return 0;
}

/* Gradients from that of the output, `slope`: of x, [pixels, channels], of gamma and of beta.
 * The rest is what went into batch_norm_forward, and what came out.
 * Returns -1 where memory is short. */
FOR_EACH_PROCESSOR
int64_t batch_norm_backward(const float *restrict slope, const float *restrict x, int64_t pixels,
                            int64_t channels, const float *gamma, const float *beta,
                            const float *mean, const float *variance, float epsilon,
                            int32_t rectify, float *restrict x_slope, float *gamma_slope,
                            float *beta_slope)
{
    const int64_t values = pixels * channels, width = row_width(pixels, channels);
    float *restrict row = malloc(5 * width * sizeof *row);
    if (!row)
        return -1;
    float *restrict scale = row + width, *restrict offset = scale + width,
                    *restrict sum = offset + width, *restrict product = sum + width;
    double *total = malloc(2 * channels * sizeof *total), *products = total + channels;
    if (!total) {
        free(row);
        return -1;
    }
    for (int64_t c = 0; c < channels; c++) {
        total[c] = products[c] = 0;
        /* Put out where there is memory for it, until the gradients come. */
        gamma_slope[c] = gamma[c] * inverse_deviation(variance[c], epsilon);
    }
    repeat(mean, width, channels, row);
    repeat(gamma_slope, width, channels, scale);
    repeat(beta, width, channels, offset);
    for (int64_t i = 0; i < width; i++)
        sum[i] = product[i] = 0;
    int64_t rows = 0;
    for (int64_t start = 0; start < values; start += width) {
        const int64_t length = at_most(width, values - start);
        const float *restrict from = x + start, *restrict given = slope + start;
        if (rectify)
            for (int64_t i = 0; i < length; i++) {
                const float difference = from[i] - row[i];
                const float value = difference * scale[i] + offset[i], all = given[i];
                const float one = value > 0 ? all : 0;
                sum[i] += one;
                product[i] += one * difference;
            }
        else
            for (int64_t i = 0; i < length; i++) {
                sum[i] += given[i];
                product[i] += given[i] * (from[i] - row[i]);
            }
        if (++rows % ROWS == 0 || start + width >= values) {
            fold(sum, width, channels, total);
            fold(product, width, channels, products);
        }
    }
    for (int64_t c = 0; c < channels; c++) {
        const double inverse = inverse_deviation(variance[c], epsilon);
        beta_slope[c] = (float)total[c];
        gamma_slope[c] = (float)(products[c] * inverse);
        for (int64_t i = c; i < width; i += channels) {
            sum[i] = (float)(total[c] / pixels);
            product[i] = (float)(products[c] / pixels * inverse * inverse);
        }
    }
    for (int64_t start = 0; start < values; start += width) {
        const int64_t length = at_most(width, values - start);
        const float *restrict from = x + start, *restrict given = slope + start;
        float *restrict to = x_slope + start;
        if (rectify)
            for (int64_t i = 0; i < length; i++) {
                const float difference = from[i] - row[i];
                const float value = difference * scale[i] + offset[i], all = given[i];
                const float one = value > 0 ? all : 0;
                to[i] = scale[i] * (one - sum[i] - difference * product[i]);
            }
        else
            for (int64_t i = 0; i < length; i++)
                to[i] = scale[i] * (given[i] - sum[i] - (from[i] - row[i]) * product[i]);
    }
    free(total);
    free(row);
    return 0;
}
