/* A counter, as a library of C might offer it. */
#ifndef COUNTER_H
#define COUNTER_H

#ifdef __cplusplus
extern "C" {
#endif

int counter_add(int amount);
int counter_value(void);
void counter_reset(void);

#ifdef __cplusplus
}
#endif

#endif
