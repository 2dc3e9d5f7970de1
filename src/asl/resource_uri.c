/*-------------------------------------------------------------------------
 *
 * resource_uri.c
 *	  The Resource of a Task: what kind it is and whether it is well-formed.
 *	  What it stands for is known to the rooms above.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <ctype.h>

#include "asl/asl.h"
#include "asl/resource_uri.h"

#define MAX_TARGET		256

#define SUFFIX_TOKEN	".waitForTaskToken"
#define SUFFIX_START	".start"

static const struct
{
	const char *scheme;
	DxResourceKind kind;
}			schemes[] =

{
	{"sql:", DX_RESOURCE_SQL},
	{"activity:", DX_RESOURCE_ACTIVITY},
	{"signal:", DX_RESOURCE_SIGNAL},
	{"event:", DX_RESOURCE_EVENT},
	{"approval:", DX_RESOURCE_APPROVAL},
	{"workflow:", DX_RESOURCE_WORKFLOW},
	{"emit:", DX_RESOURCE_EMIT},
	{"compensate:", DX_RESOURCE_COMPENSATE}
};

/* Does the text end so? */
static bool
has_suffix(const char *text, const char *suffix)
{
	size_t		len = strlen(text);
	size_t		suffix_len = strlen(suffix);

	return len >= suffix_len && strcmp(text + len - suffix_len, suffix) == 0;
}

/*
 * Takes a resource URI apart.
 *
 * *target gets a copy of what follows the scheme, without a suffix; for a URI
 * that is not one of ours, all of it.  *wait_for_token tells whether the URI
 * ends in ".waitForTaskToken", *no_wait whether a workflow: ends in ".start".
 */
DxResourceKind
dx_resource_parse(const char *uri, const char **target,
				  bool *wait_for_token, bool *no_wait)
{
	DxResourceKind kind = DX_RESOURCE_OTHER;
	char	   *rest = pstrdup(uri);

	*wait_for_token = has_suffix(uri, SUFFIX_TOKEN);
	*no_wait = false;
	for (int i = 0; i < lengthof(schemes); i++)
	{
		size_t		len = strlen(schemes[i].scheme);

		if (strncmp(uri, schemes[i].scheme, len) != 0)
			continue;
		kind = schemes[i].kind;
		rest += len;
		break;
	}

	*target = rest;
	if (kind == DX_RESOURCE_OTHER)
		return kind;
	if (*wait_for_token && has_suffix(rest, SUFFIX_TOKEN))
		rest[strlen(rest) - strlen(SUFFIX_TOKEN)] = '\0';
	if (kind == DX_RESOURCE_WORKFLOW && has_suffix(rest, SUFFIX_START))
	{
		*no_wait = true;
		rest[strlen(rest) - strlen(SUFFIX_START)] = '\0';
	}
	return kind;
}

/* Only of these characters, and letters and digits. */
static bool
consists_of(const char *text, int len, const char *others)
{
	for (int i = 0; i < len; i++)
	{
		unsigned char ch = text[i];

		if (!(isalnum(ch) || (ch != '\0' && strchr(others, ch) != NULL)))
			return false;
	}
	return true;
}

/*
 * function:NAME and optionally :VERSION or :ALIAS.
 */
static bool
is_lambda_function(const char *resource)
{
	size_t		len;

	if (strncmp(resource, "function:", strlen("function:")) != 0)
		return true;
	resource += strlen("function:");
	len = strcspn(resource, ":");
	if (len == 0 || !consists_of(resource, len, "-_."))
		return false;
	if (resource[len] == '\0')
		return true;
	resource += len + 1;
	return *resource != '\0' &&
		(strcmp(resource, "$LATEST") == 0 ||
		 consists_of(resource, strlen(resource), "-_"));
}

/*
 * arn:partition:service:region:account:resource, where region and account may
 * be empty.  Returns what is wrong, or NULL.
 */
static const char *
arn_problem(const char *arn)
{
	const char *part[6];
	int			len[6];
	const char *p = arn;

	for (int i = 0; i < 5; i++)
	{
		part[i] = p;
		len[i] = strcspn(p, ":");
		p += len[i];
		if (*p++ != ':')
			return "an ARN has the form arn:partition:service:region:account:resource";
	}
	part[5] = p;
	len[5] = strlen(p);

	if (len[1] == 0 || len[2] == 0 || len[5] == 0)
		return "partition, service and resource of an ARN cannot be empty";
	for (int i = 1; i < 5; i++)
	{
		if (!consists_of(part[i], len[i], "-_"))
			return "partition, service, region and account of an ARN consist of letters, digits and \"-\"";
	}
	if (part[5][0] == ':' || part[5][len[5] - 1] == ':' ||
		part[5][len[5] - 1] == '/' || strstr(part[5], "::") != NULL)
		return "a part of the ARN's resource is empty";
	if (len[2] == strlen("lambda") && strncmp(part[2], "lambda", len[2]) == 0 &&
		!is_lambda_function(part[5]))
		return "the function or its alias is malformed";
	return NULL;
}

/*
 * A placeholder ${Name}, which deployment tools replace.
 */
static bool
has_placeholder(const char *uri)
{
	for (const char *p = strstr(uri, "${"); p; p = strstr(p + 2, "${"))
	{
		size_t		len = strcspn(p + 2, "}");

		if (len > 0 && p[2 + len] == '}' && consists_of(p + 2, len, ":._-"))
			return true;
	}
	return false;
}

/* What is wrong with a Resource as a URI, or NULL. */
static const char *
uri_problem(const char *uri)
{
	size_t		len;

	if (has_placeholder(uri))
		return NULL;
	/* RFC 3986 section 3.1 */
	len = strcspn(uri, ":");
	if (len == 0 || uri[len] == '\0' || uri[len + 1] == '\0' ||
		!isalpha((unsigned char) uri[0]) || !consists_of(uri, len, "+-."))
		return "it has to be a URI";
	for (int i = 0; i < lengthof(schemes); i++)
	{
		if (pg_strncasecmp(uri, schemes[i].scheme, len + 1) == 0)
			return psprintf("the scheme is written \"%s\"", schemes[i].scheme);
	}
	if (strncmp(uri, "arn:", strlen("arn:")) == 0)
		return arn_problem(uri);
	return NULL;
}

/*
 * What is wrong with the form of a resource URI, or NULL.
 */
const char *
dx_resource_problem(const char *uri, DxResourceKind kind, const char *target)
{
	for (const char *p = uri; *p; p++)
	{
		if (iscntrl((unsigned char) *p))
			return "it contains a control character";
		/* A quoted SQL name may contain blanks. */
		if (kind != DX_RESOURCE_SQL && isspace((unsigned char) *p))
			return "it contains a blank";
	}
	if (kind == DX_RESOURCE_OTHER)
		return uri_problem(uri);
	if (kind == DX_RESOURCE_COMPENSATE)
		return *target == '\0' ? NULL : "nothing may follow \"compensate:\"";
	if (*target == '\0')
		return "a name has to follow the scheme";
	if (strlen(target) > MAX_TARGET)
		return "the name is too long";
	return NULL;
}

/*
 * What an ARN asks for that AWS's machine type EXPRESS cannot do, or NULL.
 */
const char *
dx_resource_not_express(const char *uri)
{
	const char *sync = strstr(uri, ".sync");

	if (strncmp(uri, "arn:", strlen("arn:")) != 0)
		return NULL;
	if (has_suffix(uri, SUFFIX_TOKEN))
		return SUFFIX_TOKEN;
	if (sync && (sync[strlen(".sync")] == '\0' || sync[strlen(".sync")] == ':'))
		return ".sync";
	if (strstr(uri, ":activity:") != NULL)
		return "activity";
	return NULL;
}
