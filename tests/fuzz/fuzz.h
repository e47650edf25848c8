/* What every fuzz_*.c begins with: a harness reads choices from the front of the input and a packet from the rest. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition) \
    do \
        if (!(condition)) { \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            abort(); \
        } \
    while (0)

struct fuzz_input {
    const uint8_t *data;
    size_t length;
};

/* The next byte; 0 beyond the end. */
static inline uint8_t fuzz_take8(struct fuzz_input *input)
{
    if (input->length == 0)
        return 0;
    input->length--;
    return *input->data++;
}

/* The next two bytes, highest first. */
static inline uint16_t fuzz_take16(struct fuzz_input *input)
{
    const unsigned high = fuzz_take8(input);

    return (uint16_t)(high << 8 | fuzz_take8(input));
}

/* At most `most` of what is left in a heap block of its own that ends with it, so that one byte too far is seen;
 * `front` zeroed bytes stand before it. The caller frees `*block`. */
static inline uint8_t *fuzz_take_rest(struct fuzz_input *input, size_t front, size_t most, uint8_t **block,
                                      size_t *length)
{
    *length = input->length < most ? input->length : most;
    *block = malloc(front + *length + (front + *length == 0));
    CHECK(*block);
    memset(*block, 0, front);
    if (*length)
        memcpy(*block + front, input->data, *length);
    input->data += *length;
    input->length -= *length;
    return *block + front;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
