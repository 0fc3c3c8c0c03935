/* Some of what the C library has for letters and numbers. */
#ifndef LETTERS_H
#define LETTERS_H

#define LETTERS ('z' - 'a' + 1)

/** Which letters a text has. */
enum letters { LETTERS_NONE, LETTERS_SMALL = 1 << 0, LETTERS_CAPITAL = 1 << 1 };

/** The capital of a small letter; anything else as it is. */
int toupper(int letter);

/** Whether it is a letter: 0 if not. */
int isalpha(int character);

/**
 * @brief The absolute value.
 * @param n any number but the least one
 */
long labs(long n);

#endif
