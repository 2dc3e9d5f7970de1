/*-------------------------------------------------------------------------
 *
 * token.c
 *	  Task tokens: what was asked (a ticket) and at which attempt.
 *
 * The text form is <ticket>.<attempt>.  A token is a reference, not a secret:
 * who may use it is a matter of privileges.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/uuid.h"
#include "engine/token.h"
#include "utils/uuid.h"

#define TICKET_LENGTH	36		/* of a uuid as text */

/* A token as people and programs carry it. */
char *
dx_token_text(const pg_uuid_t *ticket, int32 attempt)
{
	return psprintf("%s.%d", dx_uuid_text(ticket), attempt);
}

/* The value of a hexadecimal digit, or -1. */
static int
hex_value(char ch)
{
	if (ch >= '0' && ch <= '9')
		return ch - '0';
	if (ch >= 'a' && ch <= 'f')
		return ch - 'a' + 10;
	return -1;
}

/* Reads a token.  false: it is not one. */
bool
dx_token_parse(const char *token, pg_uuid_t *ticket, int32 *attempt)
{
	int			n = 0;
	char	   *end;
	long		value;

	if (strlen(token) < TICKET_LENGTH + 2 || token[TICKET_LENGTH] != '.' ||
		token[TICKET_LENGTH + 1] < '1' || token[TICKET_LENGTH + 1] > '9')
		return false;
	for (int i = 0; i < TICKET_LENGTH; i++)
	{
		int			value_of;

		if (i == 8 || i == 13 || i == 18 || i == 23)
		{
			if (token[i] != '-')
				return false;
			continue;
		}
		value_of = hex_value(token[i]);
		if (value_of < 0)
			return false;
		if (n % 2 == 0)
			ticket->data[n / 2] = value_of << 4;
		else
			ticket->data[n / 2] |= value_of;
		n++;
	}
	errno = 0;
	value = strtol(token + TICKET_LENGTH + 1, &end, 10);
	if (*end != '\0' || errno != 0 || value > PG_INT32_MAX)
		return false;
	*attempt = (int32) value;
	return true;
}
