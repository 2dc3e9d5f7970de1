/*-------------------------------------------------------------------------
 *
 * classes.c
 *	  The classes of an effect, by number and by word.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/classes.h"

const DxClassMember dx_class_members[DX_NCLASSES] = {
	{"SideEffect", {"none", "internal_write", "external_message", "external_commitment"}},
	{"Approval", {"A0", "A1", "A2", "A3"}},
	{"Reversibility", {"R0", "R1", "R2", "R3"}},
	{"Sensitivity", {"S0", "S1", "S2", "S3"}}
};

/* Where the class of this member is. */
int *
dx_class_at(DxClasses *classes, int which)
{
	int		   *all[DX_NCLASSES] = {
		&classes->side_effect, &classes->approval,
		&classes->reversibility, &classes->sensitivity
	};

	Assert(which >= 0 && which < DX_NCLASSES);
	return all[which];
}

/* The word for the class of this member. */
const char *
dx_class_word(const DxClasses *classes, int which)
{
	int			number = *dx_class_at((DxClasses *) classes, which);

	Assert(number >= 0 && number < 4);
	return dx_class_members[which].words[number];
}

/* The number that a word stands for; -1: it is none of the member's words. */
int
dx_class_parse(int which, const char *word)
{
	Assert(which >= 0 && which < DX_NCLASSES);
	for (int i = 0; i < 4; i++)
	{
		if (strcmp(dx_class_members[which].words[i], word) == 0)
			return i;
	}
	return -1;
}

/* None of the classes is less than in least. */
void
dx_classes_raise(DxClasses *classes, const DxClasses *least)
{
	for (int i = 0; i < DX_NCLASSES; i++)
	{
		int		   *number = dx_class_at(classes, i);

		*number = Max(*number, *dx_class_at((DxClasses *) least, i));
	}
}
