#include "cell.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static _Noreturn void give_up(const char *path, const char *why)
{
    printf("reason=%s: %s\n", path, why);
    exit(1);
}

static size_t size_of(const struct lf_cell_head *head)
{
    size_t key = lf_key_size(head->family);

    return sizeof(*head) + head->prefixes * sizeof(struct lf_cell_prefix) + head->hits * (key + sizeof(uint32_t)) +
           head->misses * key;
}

struct lf_cell lf_cell_open(const char *path)
{
    struct lf_cell cell = {.mapped = MAP_FAILED};
    struct stat stat;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &stat) != 0 || (size_t)stat.st_size < sizeof(cell.head))
        give_up(path, "cannot be read");
    cell.size = (size_t)stat.st_size;
    cell.mapped = mmap(NULL, cell.size, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
    close(fd);
    if (cell.mapped == MAP_FAILED)
        give_up(path, "cannot be mapped");
    memcpy(&cell.head, cell.mapped, sizeof(cell.head));
    if (memcmp(cell.head.magic, LF_CELL_MAGIC, sizeof(cell.head.magic)) != 0 || size_of(&cell.head) != cell.size)
        give_up(path, "is no cell");
    const uint8_t *at = (const uint8_t *)cell.mapped + sizeof(cell.head);
    cell.prefixes = (const void *)at;
    at += cell.head.prefixes * sizeof(struct lf_cell_prefix);
    cell.hits = at;
    at += cell.head.hits * lf_key_size(cell.head.family);
    cell.expected = (const void *)at;
    cell.misses = at + cell.head.hits * sizeof(uint32_t);
    return cell;
}

void lf_cell_close(struct lf_cell *cell)
{
    munmap(cell->mapped, cell->size);
    *cell = (struct lf_cell){.mapped = MAP_FAILED};
}

struct lf_bits lf_cell_key(const void *keys, unsigned family, size_t number)
{
    if (family == 4)
        return (struct lf_bits){.high = (uint64_t)((const uint32_t *)keys)[number] << 32};
    return ((const struct lf_bits *)keys)[number];
}
