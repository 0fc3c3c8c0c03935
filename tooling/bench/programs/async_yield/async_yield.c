/* Two computations that give way to each other, on stacks of their own (ucontext, which also saves the signal mask). */
#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>

static ucontext_t contexts[2];
static char stack[1 << 16];
static long done[2], steps;

static void run(int self) {
  while (done[self] < steps) {
    swapcontext(&contexts[self], &contexts[1 - self]);
    done[self]++;
  }
}

static void other(void) {
  run(1);
}

int main(int argc, char **argv) {
  long n = argc > 1 ? atol(argv[1]) : 1000;
  steps = n / 2;
  getcontext(&contexts[1]);
  contexts[1].uc_stack.ss_sp = stack;
  contexts[1].uc_stack.ss_size = sizeof stack;
  contexts[1].uc_link = &contexts[0];
  makecontext(&contexts[1], other, 0);
  run(0);
  while (done[1] < steps) swapcontext(&contexts[0], &contexts[1]);
  printf("%ld\n", done[0] + done[1]);
  return 0;
}
