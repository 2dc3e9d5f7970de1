/*-------------------------------------------------------------------------
 *
 * timestamp.c
 *	  Timestamps of the language: the RFC 3339 profile of ISO 8601, with an
 *	  uppercase T and an uppercase Z or a numeric offset.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/timestamp.h"
#include "utils/datetime.h"
#include "utils/timestamp.h"

#define MAX_FRACTION	9		/* digits; the server keeps six of them */
#define MAX_OFFSET		(18 * SECS_PER_HOUR)

/*
 * Reads exactly n digits.
 */
static bool
take_digits(const char **p, const char *end, int n, int *number)
{
	*number = 0;
	if (end - *p < n)
		return false;
	for (int i = 0; i < n; i++)
	{
		char		c = *(*p)++;

		if (c < '0' || c > '9')
			return false;
		*number = *number * 10 + (c - '0');
	}
	return true;
}

/* Takes this character, if it is the next. */
static bool
take(const char **p, const char *end, char c)
{
	if (*p >= end || **p != c)
		return false;
	(*p)++;
	return true;
}

/*
 * An optional fraction of a second, in microseconds.
 */
static bool
take_fraction(const char **p, const char *end, int *micros)
{
	int			digits = 0;

	*micros = 0;
	if (!take(p, end, '.'))
		return true;
	while (*p < end && **p >= '0' && **p <= '9')
	{
		if (digits < 6)
			*micros = *micros * 10 + (**p - '0');
		digits++;
		(*p)++;
	}
	for (int i = digits; i < 6; i++)
		*micros *= 10;
	return digits >= 1 && digits <= MAX_FRACTION;
}

/*
 * Z, or the offset from UTC in seconds.
 */
static bool
take_offset(const char **p, const char *end, int *offset)
{
	bool		west = take(p, end, '-');
	int			hours;
	int			minutes;

	*offset = 0;
	if (!west && take(p, end, 'Z'))
		return true;
	if (!west && !take(p, end, '+'))
		return false;
	if (!take_digits(p, end, 2, &hours) || !take(p, end, ':') ||
		!take_digits(p, end, 2, &minutes) || minutes > 59)
		return false;
	*offset = hours * SECS_PER_HOUR + minutes * SECS_PER_MINUTE;
	if (*offset > MAX_OFFSET)
		return false;
	if (west)
		*offset = -*offset;
	return true;
}

/*
 * Reads a timestamp.  false when the text is none.
 *
 * Source: Amazon States Language, "Timestamps".  As recorded on AWS a fraction
 * of up to nine digits is taken, and seconds must be there.
 */
bool
dx_timestamp_parse(const char *text, int len, TimestampTz *value)
{
	const char *p = text;
	const char *end = text + len;
	int			year;
	int			month;
	int			day;
	int			hour;
	int			minute;
	int			second;
	int			micros;
	int			offset;
	int64		seconds;

	if (!take_digits(&p, end, 4, &year) || !take(&p, end, '-') ||
		!take_digits(&p, end, 2, &month) || !take(&p, end, '-') ||
		!take_digits(&p, end, 2, &day) || !take(&p, end, 'T') ||
		!take_digits(&p, end, 2, &hour) || !take(&p, end, ':') ||
		!take_digits(&p, end, 2, &minute) || !take(&p, end, ':') ||
		!take_digits(&p, end, 2, &second) ||
		!take_fraction(&p, end, &micros) ||
		!take_offset(&p, end, &offset) || p != end)
		return false;
	if (month < 1 || month > MONTHS_PER_YEAR || day < 1 ||
		day > day_tab[isleap(year)][month - 1] ||
		hour > 23 || minute > 59 || second > 59)
		return false;

	seconds = (int64) (date2j(year, month, day) - POSTGRES_EPOCH_JDATE) *
		SECS_PER_DAY +
		hour * SECS_PER_HOUR + minute * SECS_PER_MINUTE + second - offset;
	*value = seconds * USECS_PER_SEC + micros;
	return true;
}
