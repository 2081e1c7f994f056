#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MATRIX_MAX_ROWS 4096

typedef struct matrix {
    size_t rows, columns;
    double *values; /* row by row */
} matrix_t;

static inline double *at(matrix_t *m, size_t row, size_t column) {
    assert(row < m->rows && column < m->columns);
    return &m->values[row * m->columns + column];
}

/* Returns NULL if there is no memory, or if the size makes no sense. */
matrix_t *matrix_new(size_t rows, size_t columns) {
    if (rows == 0 || columns == 0 || rows > MATRIX_MAX_ROWS || columns > SIZE_MAX / rows / sizeof(double))
        return NULL;
    matrix_t *m = malloc(sizeof *m);
    if (m == NULL)
        return NULL;
    m->rows = rows;
    m->columns = columns;
    m->values = calloc(rows * columns, sizeof(double));
    if (m->values == NULL) {
        free(m);
        return NULL;
    }
    return m;
}

int matrix_multiply(matrix_t *a, matrix_t *b, matrix_t *out) {
    if (a->columns != b->rows || out->rows != a->rows || out->columns != b->columns)
        return -1;
    for (size_t i = 0; i < a->rows; i++) {
        for (size_t j = 0; j < b->columns; j++) {
            double sum = 0.0;
            for (size_t k = 0; k < a->columns; ++k)
                sum += *at(a, i, k) * *at(b, k, j);
            *at(out, i, j) = sum;
        }
    }
    return 0;
}

void matrix_print(matrix_t *m, FILE *file) {
    for (size_t i = 0; i < m->rows; i++)
        for (size_t j = 0; j < m->columns; j++)
            fprintf(file, "%8.3f%c", *at(m, i, j), j + 1 == m->columns ? '\n' : ' ');
}
