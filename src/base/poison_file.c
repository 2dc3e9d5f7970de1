/*-------------------------------------------------------------------------
 *
 * poison_file.c
 *	  The file behind poison.c: made, checked and mapped.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/poison.h"
#include "base/poison_file.h"
#include "miscadmin.h"
#include "port/pg_crc32c.h"
#include "storage/fd.h"

#define FILE_NAME	"dealix_exec.poison"
#define MAGIC		"dxpoison"
#define VERSION		2

/* The header, a slot for each background worker, and the suspects. */
static Size
file_size(void)
{
	return sizeof(DxPoisonHeader) + max_worker_processes * sizeof(DxPoisonSlot) +
		DX_POISON_SETS * DX_POISON_WAYS * sizeof(DxSuspect);
}

/* The header that a file of this build and these settings has. */
static void
describe(DxPoisonHeader *wanted)
{
	memset(wanted, 0, sizeof(DxPoisonHeader));
	memcpy(wanted->magic, MAGIC, sizeof(wanted->magic));
	wanted->version = VERSION;
	wanted->nslots = max_worker_processes;
	wanted->slot_size = sizeof(DxPoisonSlot);
	wanted->nsuspects = DX_POISON_SETS * DX_POISON_WAYS;
	wanted->suspect_size = sizeof(DxSuspect);
	INIT_CRC32C(wanted->checksum);
	COMP_CRC32C(wanted->checksum, wanted, offsetof(DxPoisonHeader, checksum));
	FIN_CRC32C(wanted->checksum);
}

/* Says why there is no protection.  Uses errno. */
static void
complain(const char *what)
{
	ereport(LOG,
			(errcode_for_file_access(),
			 errmsg("could not %s file \"%s\": %m", what, FILE_NAME),
			 errdetail("Runs whose steps crash the server are tried again for ever."),
			 errhint("Repair this and restart the server.")));
}

/*
 * Makes the file as long as it has to be, with its blocks on disk: what is
 * mapped later must not end in SIGBUS.
 */
static bool
fill_with_zeros(int fd, Size size)
{
	static const PGAlignedBlock zeros;
	Size		done = 0;

	if (ftruncate(fd, 0) != 0)
		return false;
	while (done < size)
	{
		ssize_t		written;

		errno = 0;
		written = pwrite(fd, zeros.data, Min(size - done, BLCKSZ), done);
		if (written <= 0)
		{
			if (errno == EINTR)
				continue;
			if (errno == 0)
				errno = ENOSPC;
			return false;
		}
		done += written;
	}
	return true;
}

/* The mapped file with the size that it has to have, or NULL.  *fresh: made now. */
static char *
map_file(Size size, bool *fresh)
{
	struct stat st;
	char	   *base = NULL;
	int			fd = BasicOpenFile(FILE_NAME, O_RDWR | O_CREAT | PG_BINARY);

	if (fd < 0 || fstat(fd, &st) != 0)
		complain("open");
	else
	{
		*fresh = st.st_size == 0;
		if (!*fresh && st.st_size != size)
			ereport(LOG,
					(errmsg("file \"%s\" has the wrong size and is made anew", FILE_NAME),
					 errdetail("That is so after a change of max_worker_processes.")));
		if (st.st_size != size && !fill_with_zeros(fd, size))
			complain("write");
		else
		{
			*fresh = st.st_size != size;
			base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
			if (base == MAP_FAILED)
			{
				base = NULL;
				complain("map");
			}
		}
	}
	if (fd >= 0)
		close(fd);
	return base;
}

/*
 * Maps the file; what is not ours in it is made anew.  NULL: it cannot be, and
 * the log says so.
 */
DxPoisonHeader *
dx_poison_map(void)
{
	DxPoisonHeader wanted;
	bool		fresh;
	Size		size = file_size();
	char	   *base = map_file(size, &fresh);

	if (base == NULL)
		return NULL;
	describe(&wanted);
	if (memcmp(base, &wanted, offsetof(DxPoisonHeader, suspected)) != 0)
	{
		if (!fresh)
			ereport(LOG,
					(errmsg("file \"%s\" has the wrong contents and is made anew", FILE_NAME)));
		memset(base, 0, size);
		memcpy(base, &wanted, sizeof(DxPoisonHeader));
	}
	return (DxPoisonHeader *) base;
}
