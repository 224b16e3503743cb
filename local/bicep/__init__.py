"""Bicep read without its compiler, which no package registry has: files as data, and checks of what a parser cannot see.

Only the plain subset that infra/ keeps to is understood: resources, modules of this repository, parameters, variables and
outputs, loops and conditions, objects and calls.
"""
