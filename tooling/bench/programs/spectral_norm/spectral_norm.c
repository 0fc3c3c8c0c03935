#include <math.h>
#include <stdio.h>
#include <stdlib.h>
static double a(int i, int j) { return 1.0 / ((i + j) * (i + j + 1) / 2 + i + 1); }
static void mul(int n, const double *v, double *out) {
    for (int i = 0; i < n; i++) { double s = 0; for (int j = 0; j < n; j++) s += a(i, j) * v[j]; out[i] = s; }
}
static void mul_t(int n, const double *v, double *out) {
    for (int i = 0; i < n; i++) { double s = 0; for (int j = 0; j < n; j++) s += a(j, i) * v[j]; out[i] = s; }
}
int main(int argc, char **argv) {
    int n = atoi(argv[1]);
    double *u = malloc(n * 8), *v = malloc(n * 8), *t = malloc(n * 8), vbv = 0, vv = 0;
    for (int i = 0; i < n; i++) u[i] = 1;
    for (int k = 0; k < 10; k++) { mul(n, u, t); mul_t(n, t, v); mul(n, v, t); mul_t(n, t, u); }
    for (int i = 0; i < n; i++) { vbv += u[i] * v[i]; vv += v[i] * v[i]; }
    printf("%.9f\n", sqrt(vbv / vv));
}
