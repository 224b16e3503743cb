"""Bicep read without its compiler, which is in no package registry: files as data, and checks of what no parser sees.

Only the plain subset that infra/ keeps to is understood: resources, modules of this repository, parameters, variables
and outputs, loops and conditions, objects and calls.
"""
