/*-------------------------------------------------------------------------
 *
 * duration.c
 *	  Lengths of time as ISO 8601 writes them: P1DT12H, PT90M, P2W.
 *
 * Years and months have no length of their own, and are none here.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/duration.h"

#define MAX_DIGITS	9

/* How long a unit is; 0: there is none of this letter here. */
static double
unit_of(char letter, bool of_day)
{
	switch (letter)
	{
		case 'W':
			return of_day ? 0 : 7 * 86400.0;
		case 'D':
			return of_day ? 0 : 86400.0;
		case 'H':
			return of_day ? 3600.0 : 0;
		case 'M':
			return of_day ? 60.0 : 0;
		case 'S':
			return of_day ? 1.0 : 0;
		default:
			return 0;
	}
}

/*
 * A duration of ISO 8601 section 5.5.2, in seconds: weeks, days, and after a T
 * hours, minutes and seconds, as whole numbers.  false: the text is none.
 */
bool
dx_duration_parse(const char *text, double *seconds)
{
	const char *p = text;
	bool		of_day = false;
	bool		any = false;

	*seconds = 0;
	if (*p++ != 'P')
		return false;
	while (*p != '\0')
	{
		double		number = 0;
		double		unit;
		int			digits = 0;

		if (*p == 'T' && !of_day)
		{
			of_day = true;
			any = false;
			p++;
			continue;
		}
		for (; *p >= '0' && *p <= '9'; p++)
		{
			number = number * 10 + (*p - '0');
			if (++digits > MAX_DIGITS)
				return false;
		}
		unit = digits > 0 ? unit_of(*p, of_day) : 0;
		if (unit == 0)
			return false;
		*seconds += number * unit;
		any = true;
		p++;
	}
	return any;
}
