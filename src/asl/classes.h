/*-------------------------------------------------------------------------
 *
 * classes.h
 *	  The classes of an effect: what it does, who has to agree, how it can be
 *	  undone, how sensitive its data are.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ASL_CLASSES_H
#define DX_ASL_CLASSES_H

/* Stored.  Of each, more is more to be careful of. */
typedef enum DxSideEffect
{
	DX_EFFECT_NONE,
	DX_EFFECT_INTERNAL_WRITE,
	DX_EFFECT_EXTERNAL_MESSAGE,
	DX_EFFECT_EXTERNAL_COMMITMENT
}			DxSideEffect;

typedef struct DxClasses
{
	int			side_effect;	/* DxSideEffect */
	int			approval;		/* 0 to 3: A0 to A3 */
	int			reversibility;	/* R0 to R3 */
	int			sensitivity;	/* S0 to S3 */
} DxClasses;

#define dx_is_external(classes) ((classes)->side_effect >= DX_EFFECT_EXTERNAL_MESSAGE)

/* The members that say them, in the order of DxClasses, and what they may be. */
typedef struct DxClassMember
{
	const char *name;
	const char *words[4];
} DxClassMember;

#define DX_NCLASSES		4

extern const DxClassMember dx_class_members[DX_NCLASSES];
extern int *dx_class_at(DxClasses *classes, int which);
extern const char *dx_class_word(const DxClasses *classes, int which);
extern int	dx_class_parse(int which, const char *word);
extern void dx_classes_raise(DxClasses *classes, const DxClasses *least);

#endif							/* DX_ASL_CLASSES_H */
